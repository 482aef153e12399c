//! stub
/// x
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestFault {}
impl core::fmt::Display for RequestFault {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {}
    }
}
