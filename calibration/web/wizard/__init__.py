"""The calibration wizard, without HTTP: what is kept between two steps, and what each step does."""
