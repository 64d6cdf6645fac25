"""The S3 servers, as fixtures."""

from tests.servers import moto, rclone, s3rver, seaweedfs

__all__ = ["moto", "rclone", "s3rver", "seaweedfs"]
