"""Every error lobsterdv raises. Each carries its facts as attributes and says one sentence.

::

    LobsterError                    exit 1
    |- UsageError                   exit 2   the call cannot mean anything
    |- ProjectError                          no git, no project, a refused request
    |  |- NotAProject   NoGit   Refused   NotTracked   UnknownRevision   GitFailed
    |  |- NotVerbatim                        no object of a remote is just this file
    |- ConfigError                           a configuration file or value
    |- FormatError                           bytes that do not follow docs/format.md
    |  |- UnknownFormat   UnknownFeature     written by a newer lobsterdv
    |  |- ConflictedPointer                  git left merge markers in it
    |  |- UnsafePath                         a path that may not be used
    |- ChangedMeanwhile                      a file changed while it was read
    |- LocalIOError                          the operating system refused: disk full, read-only, ...
    |  |- NoSpace                            it would: there is less room than is about to be written
    |- ContentError                 exit 3
    |  |- MissingContent   CorruptContent    never confused with each other
    |  |- Forgotten                          for good
    |- RemoteError                  exit 4
    |  |- KeyMissing                         the store has nothing under this key
    |  |- NotARemote                         a place that cannot be one
    |  |- Unreachable                        no answer, or none that is understood
    |  |  |- HostUnknown   ProxyFailed   TlsFailed   ConnectTimeout   ReadTimeout
    |  |- Denied                             403
    |  |  |- KmsDenied   ObjectLocked   PayerWanted
    |  |- KmsKeyError                        the key that encrypts
    |  |  |- KmsKeyDisabled   KmsKeyMissing
    |  |- CredentialsError                   who asks is not established
    |  |  |- NoCredentials   IncompleteCredentials   ExpiredCredentials
    |  |  |- UnknownAccessKey   BadSignature   ClockSkew
    |  |- NoBucket   WrongRegion   Throttled
    |  |- Untrusted                          an endpoint from tracked configuration, not trusted yet
    |  |- Unencrypted                        an http:// endpoint elsewhere, not allowed yet
    |- WouldOverwrite               exit 5   unsaved changes are in the way
    |- Unavailable                  exit 6
    |  |- Archived   Busy

The remedy (the command to type) is added by the command line, in ``cli/remedies.py``.
Foreign exceptions are translated once, where they enter, with ``raise ... from error``.
"""

from lobsterdv.errors.answers import (
    BadSignature,
    ClockSkew,
    ConnectTimeout,
    CredentialsError,
    Denied,
    ExpiredCredentials,
    HostUnknown,
    IncompleteCredentials,
    KmsDenied,
    KmsKeyDisabled,
    KmsKeyError,
    KmsKeyMissing,
    NoBucket,
    NoCredentials,
    ObjectLocked,
    PayerWanted,
    ProxyFailed,
    ReadTimeout,
    Throttled,
    TlsFailed,
    UnknownAccessKey,
    Unreachable,
    WrongRegion,
)
from lobsterdv.errors.content import (
    ContentError,
    CorruptContent,
    Forgotten,
    MissingContent,
)
from lobsterdv.errors.local import (
    ChangedMeanwhile,
    ConfigError,
    ConflictedPointer,
    FormatError,
    GitFailed,
    LocalIOError,
    NoGit,
    NoSpace,
    NotAProject,
    NotTracked,
    NotVerbatim,
    ProjectError,
    Refused,
    UnknownFeature,
    UnknownFormat,
    UnknownRevision,
    UnsafePath,
    UsageError,
    WouldOverwrite,
)
from lobsterdv.errors.remote import (
    Archived,
    Busy,
    KeyMissing,
    NotARemote,
    RemoteError,
    Unavailable,
    Unencrypted,
    Untrusted,
)
from lobsterdv.errors.root import (
    LobsterError,
)

__all__ = [
    "LobsterError",
    "UsageError",
    "ProjectError",
    "NotAProject",
    "NoGit",
    "GitFailed",
    "Refused",
    "NotTracked",
    "NotVerbatim",
    "UnknownRevision",
    "ConfigError",
    "FormatError",
    "UnknownFormat",
    "UnknownFeature",
    "ConflictedPointer",
    "UnsafePath",
    "ChangedMeanwhile",
    "LocalIOError",
    "NoSpace",
    "ContentError",
    "MissingContent",
    "Forgotten",
    "CorruptContent",
    "RemoteError",
    "KeyMissing",
    "NotARemote",
    "Unreachable",
    "HostUnknown",
    "ProxyFailed",
    "TlsFailed",
    "ConnectTimeout",
    "ReadTimeout",
    "Denied",
    "KmsDenied",
    "ObjectLocked",
    "PayerWanted",
    "KmsKeyError",
    "KmsKeyDisabled",
    "KmsKeyMissing",
    "CredentialsError",
    "NoCredentials",
    "IncompleteCredentials",
    "ExpiredCredentials",
    "UnknownAccessKey",
    "BadSignature",
    "ClockSkew",
    "NoBucket",
    "WrongRegion",
    "Throttled",
    "Untrusted",
    "Unencrypted",
    "WouldOverwrite",
    "Unavailable",
    "Archived",
    "Busy",
]
