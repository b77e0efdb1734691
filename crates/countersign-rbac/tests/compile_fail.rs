//! What must not compile, and what the compiler says to it: a file for each case in `compile_fail/`, the message beside it.
//! CONTRIBUTING.md says how messages are written anew.

#[test]
fn what_must_not_compile_does_not_and_the_message_helps() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
