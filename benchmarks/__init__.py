"""Side by side with Cloud Custodian, against the same emulated account: `make bench`."""
