"""x"""


def plant(name):
    pass
