//! The tests that cross crates.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod authorization;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod cookie_app;
#[cfg(test)]
mod explanations;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod guides;
#[cfg(test)]
mod http;
#[cfg(test)]
mod hybrid;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod key_forms;
#[cfg(test)]
mod key_providers;
#[cfg(test)]
mod links;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod manifest;
#[cfg(test)]
mod observability;
#[cfg(doctest)]
mod pages;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod presets;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod remote_keys;
#[cfg(test)]
mod resource_server;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod revoke;
#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod seams;
#[cfg(test)]
mod secrecy;
#[cfg(test)]
mod shared_keys;
#[cfg(test)]
mod small_examples;
#[cfg(test)]
mod tonic;
#[cfg(test)]
mod tower;
#[cfg(test)]
mod websocket;
