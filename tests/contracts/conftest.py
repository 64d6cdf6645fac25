"""The S3 servers, as fixtures."""

from tests.servers import moto, radosgw, rclone, s3rver, seaweedfs

__all__ = ["moto", "radosgw", "rclone", "s3rver", "seaweedfs"]
