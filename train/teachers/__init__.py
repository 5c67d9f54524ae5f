"""Teachers: detectors that label pictures nobody has labelled (`dbrt pseudolabel`)."""
