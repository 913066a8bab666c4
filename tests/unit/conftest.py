from hypothesis import settings

# No deadline: a busy machine is no failure. As many examples as a second a test allows.
settings.register_profile("unit", deadline=None, max_examples=100)
settings.load_profile("unit")
