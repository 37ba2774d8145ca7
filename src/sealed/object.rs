//! Sealed files in storage behind a network: HTTP(S) servers and S3, read by range requests.

use core::{
    future::{Future, poll_fn},
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use std::sync::Arc;

use futures_core::Stream;
use object_store::{
    BackoffConfig, ClientConfigKey, GetOptions, GetRange, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    http::HttpBuilder,
    path::Path,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use super::source::Source;
use crate::error::SealedFailure;

/// Requests under way at once. With 8 MiB each this fills a link of 10 Gb/s whose round trip is 25 ms.
const IN_FLIGHT: usize = 4;
/// A longer read is made of several requests, one after the other.
const REQUEST_BYTES: usize = 8 << 20;
/// How often a request is made again that failed before its body came, and how often a body is asked for from where it was
/// cut. Between two tries it waits, up to two seconds.
const RETRIES: usize = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An object behind an `http://`, `https://` or `s3://` URL, as it was when it was opened.
///
/// Every request asks for the same object again, by its ETag where it has one; another one is
/// [`SealedFailure::Changed`]. Bodies that are cut are asked for from where they were cut, a few times.
#[derive(Debug)]
pub struct ObjectSource {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    object: Arc<Object>,
}

#[derive(Debug)]
struct Object {
    store: Box<dyn ObjectStore>,
    path: Path,
    secrets: Vec<String>,
    size: u64,
    /// What tells it from what may stand in its place later.
    etag: Option<String>,
    modified: Option<i64>,
}

impl ObjectSource {
    /// Whether a text names something that this opens, rather than a file.
    pub fn is_url(text: &str) -> bool {
        ["http://", "https://", "s3://"].iter().any(|scheme| text.starts_with(scheme))
    }

    /// Asks for the first bytes, and so for the object's size.
    ///
    /// `s3://BUCKET/KEY` takes credentials, region and endpoint from the environment, as AWS's own tools do: `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`; `AWS_ENDPOINT` for other storage than Amazon's, with
    /// `AWS_ALLOW_HTTP=true` where that has no TLS; `AWS_SKIP_SIGNATURE=true` for what is public. `idle` is how long a server may
    /// send nothing.
    ///
    /// Fails with [`SealedFailure::Read`]: not found, refused, no range requests, nobody there.
    pub async fn open(url: &str, idle: Duration) -> Result<Self, SealedFailure> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("object-store").enable_all().build();
        let runtime = runtime.map_err(|error| SealedFailure::Read(error.to_string()))?;
        let secrets = secrets(url);
        let (store, path) = match url.strip_prefix("s3://") {
            Some(rest) => s3(rest, idle)?,
            None => http(url, idle)?,
        };
        let mut object = Object { store, path, secrets, size: 0, etag: None, modified: None };
        let task = runtime.spawn(async move {
            let got = object.ask(GetOptions::new().with_range(Some(GetRange::Bounded(0..1)))).await?;
            object.size = got.meta.size;
            object.modified = Some(got.meta.last_modified.timestamp()).filter(|_| got.meta.e_tag.is_none());
            object.etag = got.meta.e_tag;
            Ok(object)
        });
        let object = Arc::new(Task(task).await?);
        Ok(ObjectSource { runtime: Some(runtime), object })
    }
}

impl Source for ObjectSource {
    fn size(&self) -> u64 {
        self.object.size
    }

    async fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), SealedFailure> {
        let ends = || SealedFailure::Read("the source ends before the bytes asked for".into());
        if offset.checked_add(into.len() as u64).is_none_or(|end| end > self.size()) {
            return Err(ends());
        }
        let runtime = self.runtime.as_ref().ok_or_else(ends)?;
        let mut at = offset;
        for part in into.chunks_mut(REQUEST_BYTES) {
            let (object, range) = (Arc::clone(&self.object), at..at + part.len() as u64);
            at = range.end;
            // Requests go on while nobody looks, which is what several under way are for.
            let bytes = Task(runtime.spawn(async move { object.fetch(range).await })).await?;
            part.copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn reads_in_flight(&self) -> usize {
        IN_FLIGHT
    }
}

impl Drop for ObjectSource {
    fn drop(&mut self) {
        // To wait for it is not allowed where the caller's own executor runs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Object {
    /// All bytes of a range, which is not empty.
    async fn fetch(&self, range: Range<u64>) -> Result<Vec<u8>, SealedFailure> {
        let wanted = (range.end - range.start) as usize;
        let mut bytes = Vec::with_capacity(wanted);
        for retry in 0..=RETRIES {
            match self.fetch_rest(range.start + bytes.len() as u64..range.end, &mut bytes).await? {
                Body::Whole => return Ok(bytes),
                Body::Cut(why) if retry == RETRIES => {
                    let got = bytes.len();
                    return Err(SealedFailure::Read(format!(
                        "the server's answer broke off after {got} of {wanted} bytes, {RETRIES} retries included: {why}"
                    )));
                }
                Body::Cut(_) => tokio::time::sleep(Duration::from_millis(100 << retry)).await,
            }
        }
        Err(SealedFailure::Read("the server's answer broke off".into()))
    }

    /// Appends what comes of a range.
    async fn fetch_rest(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<Body, SealedFailure> {
        // A weak tag matches in no condition (RFC 9110 section 13.1.1); it is compared below.
        let strong = self.etag.clone().filter(|tag| !tag.starts_with("W/"));
        let mut options = GetOptions::new().with_range(Some(GetRange::Bounded(range.clone())));
        options.if_match = strong;
        let got = self.ask(options).await?;
        let same = match &self.etag {
            Some(_) => got.meta.e_tag == self.etag,
            None => self.modified.is_none_or(|modified| modified == got.meta.last_modified.timestamp()),
        };
        if !same || got.meta.size != self.size {
            return Err(SealedFailure::Changed);
        }
        if got.range != range {
            return Err(SealedFailure::Read("the server gave another range than was asked for".into()));
        }
        let mut left = (range.end - range.start) as usize;
        let mut stream = got.into_stream();
        while let Some(piece) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Ok(Body::Cut(self.told(&error))),
            };
            left = left
                .checked_sub(piece.len())
                .ok_or_else(|| SealedFailure::Read("the server sent more than was asked for".into()))?;
            bytes.extend_from_slice(&piece);
        }
        Ok(if left == 0 { Body::Whole } else { Body::Cut("it ended early".into()) })
    }

    async fn ask(&self, options: GetOptions) -> Result<object_store::GetResult, SealedFailure> {
        use object_store::Error;
        self.store.get_opts(&self.path, options).await.map_err(|error| match &error {
            Error::Precondition { .. } | Error::NotModified { .. } => SealedFailure::Changed,
            Error::NotFound { .. } => SealedFailure::Read("there is no such object (not found)".into()),
            Error::NotSupported { .. } => {
                SealedFailure::Read("the server does not answer range requests; load from one that does".into())
            }
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => SealedFailure::Read(
                "the server refuses access; S3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from the environment"
                    .into(),
            ),
            other => SealedFailure::Read(self.told(other)),
        })
    }

    /// An error's words and its causes', without the secrets of a signed URL.
    fn told(&self, error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            let more = next.to_string();
            // Many say their cause's words themselves.
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            cause = next.source();
        }
        self.secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "…"))
    }
}

/// How a body ended.
enum Body {
    Whole,
    Cut(String),
}

/// What of a URL is not to be shown: a signature in its query, a password before its host.
fn secrets(url: &str) -> Vec<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let query = rest.split_once('?').map(|(_, query)| query.to_owned());
    let user = rest.split(['/', '?', '#']).next().and_then(|authority| authority.rsplit_once('@'));
    query.into_iter().chain(user.map(|(user, _)| user.to_owned())).filter(|secret| !secret.is_empty()).collect()
}

fn http(url: &str, idle: Duration) -> Result<(Box<dyn ObjectStore>, Path), SealedFailure> {
    // The URL as it is, query included: storage hands out signed ones. A path of its own would be encoded anew.
    let mut builder = HttpBuilder::new().with_url(url).with_retry(retry());
    for (key, value) in limits(idle) {
        builder = builder.with_config(key, value);
    }
    // A sealed file needs no secret channel.
    builder = builder.with_config(ClientConfigKey::AllowHttp, "true");
    let store = builder.build().map_err(|_| SealedFailure::Read("that is no URL".into()))?;
    Ok((Box::new(store), Path::default()))
}

fn s3(rest: &str, idle: Duration) -> Result<(Box<dyn ObjectStore>, Path), SealedFailure> {
    let no = || SealedFailure::Read("give s3://BUCKET/KEY".into());
    let (bucket, key) =
        rest.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()).ok_or_else(no)?;
    let path = Path::parse(key).map_err(|_| no())?;
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry());
    for (key, value) in limits(idle) {
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
    }
    let store = builder.build().map_err(|error| SealedFailure::Read(format!("S3 cannot be used: {error}")))?;
    Ok((Box::new(store), path))
}

fn limits(idle: Duration) -> [(ClientConfigKey, String); 3] {
    let written = |duration: Duration| format!("{}ms", duration.as_millis());
    // A request that goes on for ever, a byte now and then, ends too.
    let whole = idle.saturating_mul(10).max(Duration::from_secs(60));
    [
        (ClientConfigKey::ConnectTimeout, written(CONNECT_TIMEOUT.min(idle))),
        (ClientConfigKey::ReadTimeout, written(idle)),
        (ClientConfigKey::Timeout, written(whole)),
    ]
}

fn retry() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(2), base: 2.0 };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: Duration::from_secs(120) }
}

/// A task that ends when nobody waits for it any more.
struct Task<T>(JoinHandle<Result<T, SealedFailure>>);

impl<T> Future for Task<T> {
    type Output = Result<T, SealedFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|done| {
            done.unwrap_or_else(|error| Err(SealedFailure::Read(format!("the request did not end: {error}"))))
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_or_secret_in_a_url_is_known() {
        assert_eq!(secrets("https://host/path?X-Amz-Signature=abc&b=1"), ["X-Amz-Signature=abc&b=1"]);
        assert_eq!(secrets("http://user:pass@host:80/p@th?q"), ["q", "user:pass"]);
        assert_eq!(secrets("https://host/a@b"), [""; 0]);
        assert!(ObjectSource::is_url("s3://bucket/key") && !ObjectSource::is_url("models/s3://x"));
    }
}
