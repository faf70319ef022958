"""A greeting, in the Python of 2004."""


def greet(name):
    """Greet somebody."""
    print "Hello, %s" % name


greet("world")
