"""What holds for every test."""

from hypothesis import settings

# A slow machine is no fault of the code: no example is judged by the clock.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
