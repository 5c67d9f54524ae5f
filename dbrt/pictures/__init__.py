"""Text in pictures: finding the files, running the detector over them, writing what it found."""
