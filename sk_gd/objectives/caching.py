"""Properties that are computed once."""


class cached_property:
    """`functools.cached_property` without its lock.

    Before Python 3.12 all objects of a class share one lock, and threads that train on different
    folds wait for each other. Here two threads that ask the same object may both compute.
    """

    def __init__(self, function):
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = vars(instance)[self.name] = self.function(instance)
        return value
