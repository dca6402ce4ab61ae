// SPDX-License-Identifier: Apache-2.0
//! Files of containers that the host reads and writes, by paths that the container sees and that do
//! not lead out of it, whatever it does meanwhile. All functions block the thread.

use crate::container::{blocking, Container};
use crate::copy::Part;
use crate::inside::Root;
use crate::process::Process;
use crate::proto::grpc::CopyFileRequest;
use crate::proto::virtcontainers::{ReadFileRequest, ReadFileResponse};
use crate::status::{Result, Status};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

impl Container {
    pub async fn read_file(&self, request: ReadFileRequest) -> Result<ReadFileResponse> {
        let init = self.find("")?;
        blocking(move || read(&root(&init)?, &request)).await
    }

    pub async fn write_file(&self, request: CopyFileRequest) -> Result<()> {
        let init = self.find("")?;
        blocking(move || write(&root(&init)?, &request)).await
    }
}

fn root(init: &Process) -> Result<Root> {
    Root::of(init.pid, &init.exit).map_err(|error| Status::io("look into the container", &error))
}

const MAX_PART: usize = 512 << 10;
const MODE_BITS: u32 = 0o7777;

pub fn read(root: &Root, request: &ReadFileRequest) -> Result<ReadFileResponse> {
    let fail =
        |error: io::Error| Status::io(format!("read {:?} in the container", request.path), &error);
    let offset = u64::try_from(request.offset)
        .map_err(|_| Status::invalid(format!("offset {} is negative", request.offset)))?;
    let length = request.length as usize;
    if length > MAX_PART {
        return Err(Status::invalid(format!(
            "a part of {length} bytes is more than {MAX_PART}"
        )));
    }
    let file = root.open(&request.path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    let mut data = vec![0; length];
    let mut read = 0;
    while read < length {
        match file.read_at(&mut data[read..], offset.saturating_add(read as u64)) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(fail(error)),
        }
    }
    data.truncate(read);
    Ok(ReadFileResponse {
        data: data.into(),
        file_size: metadata.len() as i64,
        file_mode: metadata.mode() & MODE_BITS,
    })
}

/// Parts come as for `CopyFile`; the directory must be there.
pub fn write(root: &Root, request: &CopyFileRequest) -> Result<()> {
    let part = Part::check(request)?;
    let (directory, name) = match request.path.rsplit_once('/') {
        Some((directory, name)) if !matches!(name, "" | "." | "..") => (directory, name),
        _ => {
            return Err(Status::invalid(format!(
                "path {:?} names no file",
                request.path
            )))
        }
    };
    let what = format!("write {:?} in the container", request.path);
    let directory = root
        .directory(directory)
        .map_err(|error| Status::io(&what, &error))?;
    part.write(&directory, name.as_ref(), &what)
}
