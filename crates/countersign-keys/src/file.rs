use crate::fetch::{FetchError, FetchRequest, Fetched, JwksFetch};
use countersign::async_trait;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads a file anew each time.
#[derive(Debug)]
pub(crate) struct FileFetch(pub(crate) PathBuf);

#[async_trait]
impl JwksFetch for FileFetch {
    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let (path, max_bytes) = (self.0.clone(), request.max_bytes);
        // A file may lie on a file system that makes its readers wait.
        let reading = tokio::task::spawn_blocking(move || read(&path, max_bytes));
        let body = reading.await.map_err(|error| FetchError::Transport(error.into()))??;
        Ok(Fetched::new(body))
    }
}

fn read(path: &Path, max_bytes: usize) -> Result<Vec<u8>, FetchError> {
    let failed = |error: std::io::Error| FetchError::Transport(error.into());
    let mut body = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path).map_err(failed)?.take(limit).read_to_end(&mut body).map_err(failed)?;
    if body.len() > max_bytes { Err(FetchError::TooLarge) } else { Ok(body) }
}
