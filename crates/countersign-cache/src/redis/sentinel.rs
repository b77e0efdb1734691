//! Which server is the master, by those who watch over it.

use super::server::{Address, BoxedDial, Dialer, Driver, Made, Pushes, failed};
use ::redis::{RedisResult, Value};
use std::future::{poll_fn, ready};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// How long all sentinels may take together, within the time of one attempt to connect: each has its share, so that those that
/// hang leave time for the others.
const ANSWER_WITHIN: Duration = Duration::from_millis(900);

/// A master that changes its place.
#[derive(Clone)]
pub(super) struct Sentinels {
    /// Each with its way there: they have names and passwords of their own.
    pub(super) sentinels: Vec<(Address, Dialer)>,
    /// What the sentinels call the master.
    pub(super) master: String,
    pub(super) to_master: Dialer,
}

impl Sentinels {
    /// The same, where the master may say something without being asked.
    pub(super) fn telling(&self, pushes: Pushes) -> Self {
        Self { to_master: self.to_master.telling(pushes), ..self.clone() }
    }

    pub(super) fn dial(self) -> BoxedDial {
        Box::pin(async move { self.connect().await })
    }

    /// A connection to the master: to what the first sentinel that answers says is the master, and what says so itself. A
    /// sentinel that was cut off from the others may name one that is none any longer; then the next one is asked.
    async fn connect(&self) -> RedisResult<Made> {
        let mut outcome = Err(failed("no sentinel is known"));
        let share = ANSWER_WITHIN / u32::try_from(self.sentinels.len().max(1)).unwrap_or(u32::MAX);
        for (sentinel, way) in &self.sentinels {
            let attempt = async {
                let master = self.ask(sentinel, way).await?;
                let (mut connection, driver) = self.to_master.connect(&master).await?;
                let role = async { ::redis::cmd("ROLE").query_async(&mut connection).await };
                let (role, driver) = while_driven(role, driver).await;
                match role? {
                    Value::Array(role) if role.first().is_some_and(is_master) => Ok((connection, driver)),
                    _ => Err(failed("what the sentinel calls the master is none")),
                }
            };
            outcome = timeout(share, attempt).await.unwrap_or_else(|_| Err(failed("a sentinel did not answer")));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn ask(&self, sentinel: &Address, way: &Dialer) -> RedisResult<Address> {
        let (mut connection, driver) = way.connect(sentinel).await?;
        let mut question = ::redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let answer = async { question.query_async::<Option<(String, u16)>>(&mut connection).await };
        let (answer, _) = while_driven(answer, driver).await;
        let (host, port) = answer?.ok_or_else(|| failed("the sentinel does not know the master"))?;
        Ok(Address::Tcp(host, port))
    }
}

fn is_master(role: &Value) -> bool {
    match role {
        Value::BulkString(role) => role == b"master",
        Value::SimpleString(role) => role == "master",
        _ => false,
    }
}

/// The answer to something asked on a connection that nobody else drives, and its driver.
async fn while_driven<T>(answer: impl Future<Output = RedisResult<T>>, mut driver: Driver) -> (RedisResult<T>, Driver) {
    let mut answer = pin!(answer);
    let mut is_over = false;
    let answer = poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Pending if is_over => Poll::Ready(Err(failed("the server closed the connection"))),
        Poll::Pending => {
            is_over = driver.as_mut().poll(context).is_ready();
            // What was driven may have brought the answer.
            match answer.as_mut().poll(context) {
                Poll::Pending if is_over => Poll::Ready(Err(failed("the server closed the connection"))),
                answer => answer,
            }
        }
        answer => answer,
    })
    .await;
    (answer, if is_over { Box::pin(ready(())) } else { driver })
}
