//! The tests that cross crates.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod http;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod remote_keys;
