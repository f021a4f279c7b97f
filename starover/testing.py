"""For authors' tests: a transport made of Python functions, a clock moved by hand, a content of dictionaries."""
