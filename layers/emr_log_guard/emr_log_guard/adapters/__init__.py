"""The edge: one file a service, the only code that knows boto3. AWS error codes end here."""
