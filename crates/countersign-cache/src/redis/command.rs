//! What is asked of a server.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, ToRedisArgs, Value, pipe};

/// A script by its text and its name on the server.
#[derive(Debug)]
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, hash: ::redis::Script::new(text).get_hash().to_owned() }
    }
}

/// A command about one key. Its key is its first argument, or the only one of its script.
pub(super) struct Command<'s> {
    script: Option<&'s Script>,
    name: &'static str,
    key: String,
    arguments: Vec<Vec<u8>>,
}

impl<'s> Command<'s> {
    pub(super) fn new(name: &'static str, key: String) -> Self {
        Self { script: None, name, key, arguments: Vec::new() }
    }

    pub(super) fn script(script: &'s Script, key: String) -> Self {
        Self { script: Some(script), name: "EVALSHA", key, arguments: Vec::new() }
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        argument.write_redis_args(&mut self.arguments);
        self
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    fn packed(&self, with_text: bool) -> Cmd {
        let mut command = ::redis::cmd(if with_text { "EVAL" } else { self.name });
        if let Some(script) = self.script {
            command.arg(if with_text { script.text } else { &script.hash }).arg(1);
        }
        command.arg(&self.key).arg(&self.arguments);
        command
    }

    /// Sends it. A script that the server does not have has done nothing, and is sent whole.
    ///
    /// `is_moving`: to the node that takes the slot over, which answers only who says so.
    pub(super) async fn send(&self, connection: &mut MultiplexedConnection, is_moving: bool) -> RedisResult<Value> {
        let answer = send(connection, self.packed(false), is_moving).await;
        match answer {
            Err(error) if self.script.is_some() && error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                send(connection, self.packed(true), is_moving).await
            }
            answer => answer,
        }
    }
}

async fn send(connection: &mut MultiplexedConnection, command: Cmd, is_moving: bool) -> RedisResult<Value> {
    if !is_moving {
        return command.query_async(connection).await;
    }
    let (answer,) = pipe().cmd("ASKING").ignore().add_command(command).query_async(connection).await?;
    Ok(answer)
}
