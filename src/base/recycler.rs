//! Memory of what comes and goes with every request, kept for the next one.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

/// What is given back beyond so many is freed.
const KEPT_MAX: usize = 1_024;

/// Owned by one core.
pub struct Recycler<T>(Rc<RefCell<Vec<Rc<T>>>>);

/// A value in such memory, shared like an `Rc`. The last owner empties it and gives it back.
pub struct Recycled<T: Default> {
    /// Until it is dropped.
    memory: Option<Rc<T>>,
    home: Recycler<T>,
}

impl<T> Default for Recycler<T> {
    fn default() -> Recycler<T> {
        Recycler(Rc::default())
    }
}

impl<T: Default> Recycler<T> {
    pub fn take(&self, value: T) -> Recycled<T> {
        let kept = self.0.borrow_mut().pop();
        let memory = match kept {
            None => Rc::new(value),
            Some(mut memory) => {
                *Rc::get_mut(&mut memory).expect("its last owner gave it") = value;
                memory
            }
        };
        Recycled {
            memory: Some(memory),
            home: Recycler(self.0.clone()),
        }
    }
}

impl<T: Default> Recycled<T> {
    /// None while somebody else has it too.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.memory.as_mut().and_then(Rc::get_mut)
    }
}

impl<T: Default> Clone for Recycled<T> {
    fn clone(&self) -> Recycled<T> {
        Recycled {
            memory: self.memory.clone(),
            home: Recycler(self.home.0.clone()),
        }
    }
}

impl<T: Default> Deref for Recycled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.memory.as_ref().expect("it is not dropped")
    }
}

impl<T: Default> Drop for Recycled<T> {
    fn drop(&mut self) {
        let Some(value) = self.get_mut() else {
            return;
        };
        // What the value holds may come back here.
        drop(std::mem::take(value));
        let mut kept = self.home.0.borrow_mut();
        if kept.len() < KEPT_MAX {
            kept.extend(self.memory.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_memory_of_the_last_owner_is_used_again_and_holds_nothing_meanwhile() {
        let recycler = Recycler::default();
        let held = Rc::new(());
        let first = recycler.take(Cell::new(Some(held.clone())));
        let (address, second) = (first.as_ptr(), first.clone());
        drop(first);
        assert_ne!(recycler.take(Cell::default()).as_ptr(), address);
        drop(second);
        assert_eq!(Rc::strong_count(&held), 1);
        let again = recycler.take(Cell::new(Some(held.clone())));
        assert_eq!(again.as_ptr(), address);
        assert!(again.take().is_some());
    }

    #[test]
    fn no_more_is_kept_than_a_shard_needs() {
        let recycler = Recycler::default();
        let all: Vec<_> = (0..2 * KEPT_MAX).map(|_| recycler.take(1)).collect();
        drop(all);
        assert_eq!(recycler.0.borrow().len(), KEPT_MAX);
    }
}
