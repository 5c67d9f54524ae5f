"""Scene-text pictures drawn from fonts, with the exact quad of every word."""
