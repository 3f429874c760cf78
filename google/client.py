"""Client of the live system: BigQuery by Google's client, the others by REST; every call has a short timeout."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import google.auth
import requests
from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import bigquery

from declared.roles import BIGQUERY, QUERY_USAGE
from declared.sizes import GIGABYTE
from google.billing import DryRun, Usage, bytes_billed
from google.failures import (
    UNREADABLE,
    LiveSystemError,
    RequestRefusedError,
    UnreadableAnswerError,
    message_of,
    objects_of,
    readable,
    refusal,
)
from google.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from declared.environment import Environment

#: The longest silence within a request; google/waiting.py limits the whole of it.
CALL_SECONDS = 15.0
QUERY_SECONDS = 60.0
MAXIMUM_BYTES = 2 * GIGABYTE
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: The session repeats requests, not the client, which would do so for ten minutes when a job is not accepted.
NO_RETRY: Any = None


class GoogleApi:
    """An environment's Google APIs: the embedded ones where it names an endpoint, Google's own otherwise.

    Raises:
        LiveSystemError: on construction, without Google credentials; by every method, when the API does not answer.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.usage = Usage()
        credentials = AnonymousCredentials() if environment.endpoint else _google_credentials()  # type: ignore[no-untyped-call]
        # the embedded environment answers immediately or not at all; Google can be busy for a moment
        self._session = Session(credentials, patient=environment.endpoint is None)
        self._bigquery = bigquery.Client(
            project=environment.project,
            credentials=credentials,
            _http=self._session,
            location=environment.location,
            client_options={"api_endpoint": environment.endpoint} if environment.endpoint else None,
        )
        self._dataset = f"{environment.project}.{environment.dataset}"

    def dataset(self, name: str | None = None) -> dict[str, Any] | None:
        """A dataset's API resource, by default the environment's own; None where there is none."""
        return self._found(self._bigquery.get_dataset, f"{self.environment.project}.{name}" if name else self._dataset)

    def dataset_exists(self) -> bool:
        """Whether the dataset exists."""
        return self.dataset() is not None

    def datasets(self) -> dict[str, dict[str, str]]:
        """The project's datasets with their labels."""
        with self._explained(f"datasets of {self.environment.project}"):
            datasets = self._bigquery.list_datasets(retry=NO_RETRY, timeout=CALL_SECONDS)
            return {dataset.dataset_id: dict(dataset.labels) for dataset in datasets}

    def delete_dataset(self) -> None:
        """Delete the dataset with everything in it, if it exists."""
        with self._explained(self._dataset):
            self._bigquery.delete_dataset(
                self._dataset, delete_contents=True, not_found_ok=True, retry=NO_RETRY, timeout=CALL_SECONDS
            )

    def check_project(self) -> None:
        """Check that the service answers, so that a dataset that was not found is missing.

        Raises:
            LiveSystemError: the project's datasets cannot be listed.
        """
        with self._explained(f"datasets of {self.environment.project}"):
            try:
                list(self._bigquery.list_datasets(max_results=1, retry=NO_RETRY, timeout=CALL_SECONDS))
            except NotFound as error:
                raise LiveSystemError(
                    f"datasets of {self.environment.project}: 404 {error.message}: check the project of "
                    f"{self.environment.file}, and which service answers instead of BigQuery"
                ) from None

    def table_labels(self) -> dict[str, dict[str, str]]:
        """The tables and views of the dataset with their labels; none where there is no dataset."""
        with self._explained(f"tables of {self._dataset}"):
            try:
                tables = self._bigquery.list_tables(self._dataset, retry=NO_RETRY, timeout=CALL_SECONDS)
                return {table.table_id: dict(table.labels) for table in tables}
            except NotFound:
                return {}

    def routine_names(self) -> set[str]:
        """The names of the dataset's routines; empty where there is no dataset."""
        with self._explained(f"routines of {self._dataset}"):
            try:
                routines = self._bigquery.list_routines(self._dataset, retry=NO_RETRY, timeout=CALL_SECONDS)
                return {routine.reference.routine_id for routine in routines}
            except NotFound:
                return set()

    def table(self, name: str) -> dict[str, Any] | None:
        """A table's or view's API resource, or None where there is none."""
        return self._found(self._bigquery.get_table, f"{self._dataset}.{name}")

    def routine(self, name: str) -> dict[str, Any] | None:
        """A routine's API resource, or None where there is none."""
        return self._found(self._bigquery.get_routine, f"{self._dataset}.{name}")

    def query(
        self, about: str, sql: str, parameters: Iterable[bigquery.query._AbstractQueryParameter] = ()
    ) -> list[Any]:
        """The rows of a query; it reads a bounded number of bytes and nothing from the cache.

        Args:
            about: the object that the query is about, for the error when it fails.
            sql: the query.
            parameters: its parameters.

        Raises:
            RequestRefusedError: the query fails.
        """
        return self._run(about, sql, parameters)[0]

    def _run(
        self, about: str, sql: str, parameters: Iterable[bigquery.query._AbstractQueryParameter]
    ) -> tuple[list[Any], int]:
        config = bigquery.QueryJobConfig(
            query_parameters=list(parameters), maximum_bytes_billed=MAXIMUM_BYTES, use_query_cache=False
        )
        with self._explained(f"query of {about}", about):
            rows = self._bigquery.query_and_wait(
                sql,
                job_config=config,
                api_timeout=CALL_SECONDS,
                wait_timeout=QUERY_SECONDS,
                retry=NO_RETRY,
                job_retry=NO_RETRY,
            )
            found, read = list(rows), rows.total_bytes_processed or 0
            self.usage.add(read)
            return found, read

    def read_by(self, about: str, sql: str) -> int:
        """The number of bytes that a query reads when it runs.

        Raises:
            RequestRefusedError: the query fails.
        """
        return self._run(about, sql, ())[1]

    def dry_run(self, about: str, sql: str) -> DryRun:
        """What a statement would read, without running it.

        Raises:
            RequestRefusedError: the statement is not valid, or names an object that does not exist.
            NotPermittedError: the caller may not run it.
        """
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        with self._explained(f"dry run of {about}", about):
            job = self._bigquery.query(sql, job_config=config, retry=NO_RETRY, timeout=CALL_SECONDS, job_retry=NO_RETRY)
            tables = (f"{table.project}.{table.dataset_id}.{table.table_id}" for table in job.referenced_tables)
            read, names = int(job.total_bytes_processed or 0), frozenset(tables)
            return DryRun(read, max(int(job.total_bytes_billed or 0), bytes_billed(read, len(names))), names)

    def transfer_configs(self) -> list[dict[str, Any]]:
        """The scheduled queries of the project in the environment's location, as the transfer service lists them."""
        parent = f"projects/{self.environment.project}/locations/{self.environment.location.lower()}"
        path = f"{parent}/transferConfigs?dataSourceIds=scheduled_query"
        return self._listed("bigquerydatatransfer", path, "transferConfigs")

    def transfer_runs(self, config: str) -> list[dict[str, Any]]:
        """The runs of a transfer config that the service still knows, the newest first."""
        runs = self._listed("bigquerydatatransfer", f"{config}/runs?pageSize=100", "transferRuns")
        return sorted(runs, key=lambda run: str(run.get("runTime", "")), reverse=True)

    def service_accounts(self) -> dict[str, str]:
        """The project's service accounts: resource names by e-mail address."""
        path = f"projects/{self.environment.project}/serviceAccounts?pageSize=100"
        with readable(path):
            return {account["email"]: account["name"] for account in self._listed("iam", path, "accounts")}

    def alert_policies(self) -> list[dict[str, Any]]:
        """The project's alert policies."""
        return self._listed("monitoring", f"projects/{self.environment.project}/alertPolicies", "alertPolicies", "v3")

    def notification_channels(self) -> list[dict[str, Any]]:
        """The project's notification channels."""
        path = f"projects/{self.environment.project}/notificationChannels"
        return self._listed("monitoring", path, "notificationChannels", "v3")

    def monitoring(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call the Cloud Monitoring API; ``path`` comes after the version."""
        return self._call("monitoring", method, path, body, "v3")

    def project_policy(self) -> dict[str, Any]:
        """The project's IAM policy, with conditions."""
        path = f"projects/{self.environment.project}:getIamPolicy"
        body = {"options": {"requestedPolicyVersion": 3}}
        with _always_present():
            return self.resource_manager("POST", path, body)

    def granted_permissions(self, permissions: Iterable[str]) -> set[str]:
        """The permissions, of those given, that the caller has on the project."""
        path = f"projects/{self.environment.project}:testIamPermissions"
        with _always_present():
            answer = self.resource_manager("POST", path, {"permissions": sorted(permissions)})
        with readable(path):
            return set(answer.get("permissions", []))

    def enabled_services(self) -> set[str]:
        """The APIs that are enabled in the project, such as ``bigquery.googleapis.com``."""
        path = f"projects/{self.environment.project_number}/services?filter=state:ENABLED&pageSize=200"
        services = self._listed("serviceusage", path, "services")
        with readable(path):
            return {str(service["config"]["name"]) for service in services}

    def query_quota_mebibytes(self) -> int | None:
        """The MiB that the project's queries may read per day; None where there is no limit."""
        metric = quote(QUERY_USAGE, safe="")
        path = f"projects/{self.environment.project_number}/services/{BIGQUERY}/consumerQuotaMetrics"
        with _always_present():
            answer = self.service_usage("GET", f"{path}/{metric}", version="v1beta1")
        with readable(path):
            buckets = [
                int(bucket["effectiveLimit"])
                for limit in answer.get("consumerQuotaLimits", [])
                if limit.get("unit", "").startswith("1/d/")
                for bucket in limit.get("quotaBuckets", [])
                if not bucket.get("dimensions")
            ]
        limits = [limit for limit in buckets if limit >= 0]  # -1: no limit
        return min(limits, default=None)

    def _listed(self, service: str, path: str, key: str, version: str = "v1") -> list[dict[str, Any]]:
        """Every resource of a list, page by page."""
        with _always_present():
            page = self._call(service, "GET", path, None, version)
            resources = objects_of(path, page, key)
            seen = set()
            while token := page.get("nextPageToken"):
                if token in seen:
                    raise UnreadableAnswerError(path, ValueError("a page is followed by an earlier one"))
                seen.add(token)
                page = self._call(
                    service, "GET", f"{path}{'&' if '?' in path else '?'}pageToken={token}", None, version
                )
                resources += objects_of(path, page, key)
        return resources

    def data_transfer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call the Data Transfer API; ``path`` comes after the version, e.g. a config's name."""
        return self._call("bigquerydatatransfer", method, path, body)

    def iam(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call the IAM API; ``path`` comes after the version."""
        return self._call("iam", method, path, body)

    def bucket_exists(self, bucket: str) -> bool:
        """Whether a bucket of Cloud Storage exists."""
        try:
            self._call("storage", "GET", f"b/{bucket}", None)
        except RequestRefusedError:
            return False
        return True

    def stored_json(self, bucket: str, name: str) -> dict[str, Any] | None:
        """The JSON in an object of Cloud Storage, or None where the bucket or the object does not exist."""
        try:
            return self._call("storage", "GET", f"b/{bucket}/o/{quote(name, safe='')}?alt=media", None)
        except RequestRefusedError:
            return None

    def service_usage(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, version: str = "v1"
    ) -> dict[str, Any]:
        """Call the Service Usage API; ``path`` comes after the version."""
        return self._call("serviceusage", method, path, body, version)

    def resource_manager(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call the Resource Manager API; ``path`` comes after the version."""
        return self._call("cloudresourcemanager", method, path, body)

    def _call(
        self, service: str, method: str, path: str, body: Mapping[str, Any] | None, version: str = "v1"
    ) -> dict[str, Any]:
        endpoint = self.environment.endpoint
        google = f"https://{service}.googleapis.com" + ("/storage" if service == "storage" else "")
        base = f"{endpoint}/{service}/{version}" if endpoint else f"{google}/{version}"
        with self._explained(f"{service} {path}"):
            response = self._session.request(method, f"{base}/{path}", json=body, timeout=CALL_SECONDS)
            if not response.ok:
                raise refusal(response.status_code, f"{service} {path}: {response.status_code} {message_of(response)}")
            answer = response.json() if response.content else {}
            if not isinstance(answer, dict):
                raise TypeError(f"not an object, but {type(answer).__name__}")
            return answer

    def _found(self, get: Callable[..., Any], name: str) -> dict[str, Any] | None:
        with self._explained(name):
            try:
                resource: dict[str, Any] = get(name, retry=NO_RETRY, timeout=CALL_SECONDS).to_api_repr()
            except NotFound:
                return None
            return resource

    @contextmanager
    def _explained(self, what: str, about: str = "") -> Iterator[None]:
        """Turn the clients' exceptions into this module's errors."""
        try:
            yield
        except GoogleAPICallError as error:
            problems = [each for each in error.errors if isinstance(each, dict)]
            reason = next((each["message"] for each in problems if each.get("message")), error.message)
            message = f"{what}: {error.code or 'no'} {reason or type(error).__name__}"
            reasons = {str(each.get("reason", "")) for each in problems}
            raise refusal(int(error.code or 0), message, about, reasons) from None
        except GoogleAuthError as error:
            raise LiveSystemError(f"{what}: Google credentials are not accepted: {error}. {SIGN_IN}") from None
        except (requests.exceptions.InvalidJSONError, *UNREADABLE) as error:  # the first is a RequestException, too
            raise UnreadableAnswerError(what, error) from None
        except (requests.RequestException, RetryError, TimeoutError, OSError) as error:
            raise LiveSystemError(self._unreachable(error)) from None

    def _unreachable(self, error: Exception) -> str:
        timed_out = isinstance(error, requests.Timeout | TimeoutError)
        problem = "does not answer in time" if timed_out else f"does not answer ({type(error).__name__})"
        if self.environment.endpoint:
            return f"{self.environment.endpoint} {problem}: start it with `make up` (or `python -m local up`)"
        return f"Google's API {problem}: check the network, then run this again"


SIGN_IN = "Run `gcloud auth application-default login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS."


def _google_credentials() -> Any:
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except (DefaultCredentialsError, OSError, ValueError) as error:
        raise LiveSystemError(f"no Google credentials: {str(error).splitlines()[0]} {SIGN_IN}") from None
    return credentials


@contextmanager
def _always_present() -> Iterator[None]:
    """Treat a refusal as an outage: every project has this resource."""
    try:
        yield
    except RequestRefusedError as error:
        raise LiveSystemError(str(error)) from None
