"""A server of object storage on this machine (moto's S3), in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3

from benchmarks.harness.running import free_port
from tests.waiting import wait_for_server

BUCKET = "vibes"


@dataclass
class ObjectStorage:
    """Where it is, its bucket, and what an app has to be told to use it."""

    url: str
    process: subprocess.Popen

    @property
    def environment(self) -> dict[str, str]:
        """The settings that lead there."""
        return {
            "VIBECHECK_IMAGES_URL": f"s3://{BUCKET}/faces",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def names(self) -> list[str]:
        """All objects in the bucket."""
        return [each["Key"] for each in self._client().list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def get(self, name: str) -> bytes:
        """What an object holds."""
        return self._client().get_object(Bucket=BUCKET, Key=name)["Body"].read()

    def make_bucket(self) -> None:
        """Makes the bucket, which is not there at first."""
        self._client().create_bucket(Bucket=BUCKET)

    def _client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )


@contextmanager
def object_storage() -> Iterator[ObjectStorage]:
    """A server with an empty bucket."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=os.environ.copy()) as process:
        try:
            storage = ObjectStorage(f"http://127.0.0.1:{port}", process)
            wait_for_server(f"{storage.url}/moto-api/", process)
            storage.make_bucket()
            yield storage
        finally:
            process.kill()
