use countersign::screening::Tenure;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The tenures of the connections that are open.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    tenures: HashMap<u64, Tenure>,
}

/// An open connection. It is forgotten when this is dropped.
#[derive(Debug)]
pub struct Open {
    connections: Connections,
    number: u64,
}

impl Connections {
    /// Remembers a connection.
    #[must_use]
    pub fn open(&self, tenure: &Tenure) -> Open {
        let mut table = self.table();
        let number = table.next;
        table.next += 1;
        table.tenures.insert(number, tenure.clone());
        Open { connections: self.clone(), number }
    }

    /// Has every connection look whether its token still counts.
    pub fn wake(&self) {
        let tenures: Vec<_> = self.table().tenures.values().cloned().collect();
        tenures.iter().for_each(Tenure::wake);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connections.table().tenures.remove(&self.number);
    }
}
