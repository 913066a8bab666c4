"""Makes the pages of reference from the code and the template: `make docs`."""
