"""Messages in the forms in which AWS, its tools and other programs store them, unpacked down to each message."""
