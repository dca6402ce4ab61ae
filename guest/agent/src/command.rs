// SPDX-License-Identifier: Apache-2.0
//! The command of a process as the kernel takes it: what a child that must not allocate needs, made
//! before the child.

use crate::proto::grpc;
use crate::status::{Result, Status};
use std::ffi::CString;

pub struct Command {
    /// Where the program may be, in the order of the search.
    pub programs: Vec<CString>,
    pub arguments: Vec<CString>,
    pub environment: Vec<CString>,
    /// The working directory, behind those it lies in.
    pub directories: Vec<CString>,
}

impl Command {
    /// `home` is asked for only if the environment has none.
    pub fn of(process: &grpc::Process, home: impl FnOnce() -> String) -> Result<Command> {
        let mut environment = environment(&process.env);
        if value(&environment, "HOME").is_none() {
            environment.push(format!("HOME={}", home()));
        }
        let name = process.args.first().map_or("", String::as_str);
        let programs = candidates(name, value(&environment, "PATH"));
        Ok(Command {
            programs: c_strings(programs)?,
            arguments: c_strings(process.args.clone())?,
            environment: c_strings(environment)?,
            directories: c_strings(directories(&process.cwd))?,
        })
    }
}

/// Of two values of one name the later one counts; what names no value is none.
fn environment(list: &[String]) -> Vec<String> {
    let mut result: Vec<String> = Vec::with_capacity(list.len());
    for entry in list {
        let name = match entry.split_once('=') {
            Some((name, _)) => name,
            None => continue,
        };
        let earlier = |known: &String| known.split_once('=').map_or("", |(name, _)| name) == name;
        match result.iter_mut().find(|known| earlier(known)) {
            Some(known) => *known = entry.clone(),
            None => result.push(entry.clone()),
        }
    }
    result
}

fn value<'a>(environment: &'a [String], name: &str) -> Option<&'a str> {
    environment.iter().find_map(|entry| {
        let (key, value) = entry.split_once('=')?;
        (key == name).then_some(value)
    })
}

/// A name with a slash is a path already; an empty part of PATH is the working directory.
fn candidates(name: &str, path: Option<&str>) -> Vec<String> {
    if name.contains('/') {
        return vec![name.into()];
    }
    let parts = path.into_iter().flat_map(|path| path.split(':'));
    parts
        .map(|part| match part {
            "" => format!("./{name}"),
            part => format!("{part}/{name}"),
        })
        .collect()
}

fn directories(path: &str) -> Vec<String> {
    let ends = path.char_indices().filter(|(at, c)| *c == '/' && *at > 0);
    let mut result: Vec<String> = ends
        .filter_map(|(at, _)| path.get(..at))
        .map(String::from)
        .collect();
    result.push(path.into());
    result
}

fn c_strings(strings: Vec<String>) -> Result<Vec<CString>> {
    let all: std::result::Result<_, _> = strings.into_iter().map(CString::new).collect();
    all.map_err(|_| Status::invalid("the process has a NUL in its command"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[CString]) -> Vec<&str> {
        list.iter().map(|text| text.to_str().unwrap()).collect()
    }

    fn command(program: &str, env: &[&str]) -> Command {
        let process = grpc::Process {
            args: vec![program.into(), "".into()],
            env: env.iter().map(|entry| entry.to_string()).collect(),
            cwd: "/a/b".into(),
            ..Default::default()
        };
        Command::of(&process, || "/root".into()).unwrap()
    }

    #[test]
    fn a_name_is_searched_in_the_path_and_a_path_is_not() {
        let path = ["PATH=/bin::rel"];
        assert_eq!(
            texts(&command("sh", &path).programs),
            ["/bin/sh", "./sh", "rel/sh"]
        );
        assert_eq!(texts(&command("./sh", &path).programs), ["./sh"]);
        assert_eq!(texts(&command("/x/sh", &path).programs), ["/x/sh"]);
        assert!(command("sh", &[]).programs.is_empty());
    }

    #[test]
    fn the_environment_has_one_value_a_name_and_a_home() {
        let command = command("sh", &["A=1", "odd", "B=x=y", "A=2", "HOMELY=1"]);
        assert_eq!(
            texts(&command.environment),
            ["A=2", "B=x=y", "HOMELY=1", "HOME=/root"]
        );
        assert_eq!(texts(&command.arguments), ["sh", ""]);
        assert_eq!(texts(&command.directories), ["/a", "/a/b"]);
        let own = super::environment(&["HOME=".into()]);
        assert_eq!(value(&own, "HOME"), Some(""));
    }

    #[test]
    fn every_directory_on_the_way_is_named() {
        assert_eq!(directories("/"), ["/"]);
        assert_eq!(directories("/a/b/c"), ["/a", "/a/b", "/a/b/c"]);
        assert_eq!(directories("a/b"), ["a", "a/b"]);
    }
}
