//! The allocator of a plugin.
//!
//! An instance serves one call, so memory is never returned to the host, and neighbouring free blocks are not merged.
//! That takes a tenth of the code of Rust's default allocator. A crate that defines another global allocator turns
//! the feature `allocator` off.

use std::alloc::Layout;
use std::ptr::null_mut;

/// Alignment and smallest size of a block.
const UNIT: usize = 16;

/// Classes of block sizes: four for each doubling of the size.
const CLASSES: usize = 108;

/// A free block. It points to the next one of its class.
struct Free {
    next: *mut Free,
}

/// Blocks in memory that grows at its end.
struct Heap {
    free: [*mut Free; CLASSES],
    /// End of the used memory.
    next: usize,
    /// End of the available memory.
    end: usize,
    /// Adds memory of at least this size and returns its bounds, or `None` if there is no more.
    grow: fn(usize) -> Option<(usize, usize)>,
}

/// Returns the class and the size of the block for a layout.
const fn block(size: usize) -> (usize, usize) {
    if size <= 4 * UNIT {
        let units = if size == 0 { 1 } else { size.div_ceil(UNIT) };
        return (units - 1, units * UNIT);
    }
    // The size is above 2^exponent and at most 2^(exponent + 1).
    let exponent = (size - 1).ilog2() as usize;
    let quarter = ((size - 1) >> (exponent - 2)) - 4;
    (4 + (exponent - 6) * 4 + quarter, (quarter + 5) << (exponent - 2))
}

impl Heap {
    const fn new(grow: fn(usize) -> Option<(usize, usize)>) -> Self {
        Self { free: [null_mut(); CLASSES], next: 0, end: 0, grow }
    }

    /// Makes sure that so many bytes after `from` are available. Moves to other memory if that is impossible.
    fn reserve(&mut self, from: usize, size: usize) -> Option<usize> {
        if self.end.checked_sub(from).is_some_and(|available| available >= size) {
            return Some(from);
        }
        let (start, end) = (self.grow)(size)?;
        let from = if start == self.end { from } else { start.next_multiple_of(UNIT) };
        self.end = end;
        Some(from)
    }

    fn allocate(&mut self, layout: Layout) -> *mut u8 {
        let (class, size) = block(layout.size());
        if layout.align() > UNIT {
            // Rare: the memory before the aligned block stays unused.
            let Some(padded) = size.checked_add(layout.align()) else { return null_mut() };
            let Some(from) = self.reserve(self.next, padded) else { return null_mut() };
            let at = from.next_multiple_of(layout.align());
            self.next = at + size;
            return at as *mut u8;
        }
        if let Some(head) = self.free.get_mut(class)
            && !head.is_null()
        {
            let first = *head;
            // SAFETY: the list contains only free blocks of this class, each with a valid `next`.
            *head = unsafe { (*first).next };
            return first.cast();
        }
        let Some(at) = self.reserve(self.next, size) else { return null_mut() };
        self.next = at + size;
        at as *mut u8
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// The block was allocated by this heap with this layout, and is not used any more.
    unsafe fn release(&mut self, pointer: *mut u8, layout: Layout) {
        let (class, size) = block(layout.size());
        if pointer as usize + size == self.next {
            self.next = pointer as usize;
        } else if let Some(head) = self.free.get_mut(class) {
            let first: *mut Free = pointer.cast();
            // SAFETY: the block is at least `UNIT` bytes, aligned to `UNIT`, and unused.
            unsafe { first.write(Free { next: *head }) };
            *head = first;
        }
    }

    /// Changes the size of a block.
    ///
    /// # Safety
    ///
    /// The block was allocated by this heap with this layout.
    unsafe fn resize(&mut self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let ((_, size), (_, target_size)) = (block(layout.size()), block(new_size));
        if target_size <= size {
            return pointer;
        }
        let at = pointer as usize;
        // The last block grows in place.
        if at + size == self.next && self.end - at >= target_size {
            self.next = at + target_size;
            return pointer;
        }
        // SAFETY: the new size is above zero, and the alignment is that of a valid layout.
        let new = self.allocate(unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) });
        if !new.is_null() {
            // SAFETY: both blocks are valid for the old size and do not overlap; the old one is not used after it.
            unsafe {
                new.copy_from_nonoverlapping(pointer, layout.size());
                self.release(pointer, layout);
            }
        }
        new
    }
}

/// The heap of an instance as the global allocator.
#[cfg(target_arch = "wasm32")]
mod global {
    use std::alloc::{GlobalAlloc, Layout};
    use std::cell::UnsafeCell;

    use super::Heap;

    const PAGE: usize = 64 << 10;

    #[global_allocator]
    static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(Heap::new(grow)));

    struct Allocator(UnsafeCell<Heap>);

    // SAFETY: a plugin's instance has one thread.
    unsafe impl Sync for Allocator {}

    // SAFETY: blocks are aligned, at least as large as their layouts, and do not overlap.
    unsafe impl GlobalAlloc for Allocator {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: there is one thread, and no method of the heap calls the allocator.
            unsafe { (*self.0.get()).allocate(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: as above; the caller promises the rest.
            unsafe { (*self.0.get()).release(pointer, layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            // SAFETY: as above; the caller promises the rest.
            unsafe { (*self.0.get()).resize(pointer, layout, new_size) }
        }
    }

    /// Grows the instance's memory.
    fn grow(size: usize) -> Option<(usize, usize)> {
        let pages = size.div_ceil(PAGE);
        let before = core::arch::wasm32::memory_grow(0, pages);
        (before != usize::MAX).then(|| (before * PAGE, (before + pages) * PAGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds memory of the test's process, never adjacent to the last.
    fn grow(size: usize) -> Option<(usize, usize)> {
        let memory: &'static mut [u8] = vec![0; size + 256].leak();
        let range = memory.as_mut_ptr_range();
        (size < 1 << 20).then_some((range.start as usize + 1, range.end as usize))
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_large_enough_and_classes_do_not_overlap() {
        for (size, expected) in [
            (0, 16),
            (1, 16),
            (17, 32),
            (64, 64),
            (65, 80),
            (80, 80),
            (81, 96),
            (129, 160),
            (1 << 20, 1 << 20),
        ] {
            assert_eq!(block(size).1, expected, "{size}");
        }
        let mut previous = (0, 16);
        for size in 1..100_000 {
            let (class, bytes) = block(size);
            assert!(bytes >= size && bytes % UNIT == 0 && bytes <= size.max(16) * 5 / 4 + 2 * UNIT, "{size}");
            assert!((class, bytes) == previous || (class == previous.0 + 1 && bytes > previous.1), "{size}");
            previous = (class, bytes);
        }
        assert!(block(u32::MAX as usize).0 < CLASSES);
    }

    #[test]
    fn released_blocks_are_used_again() {
        let mut heap = Heap::new(grow);
        let first = heap.allocate(layout(100, 8));
        let second = heap.allocate(layout(100, 8));
        // SAFETY: both were allocated with this layout.
        unsafe {
            heap.release(first, layout(100, 8));
            assert_eq!(heap.allocate(layout(110, 4)), first);
            heap.release(second, layout(100, 8));
        }
        // The last block is given back to the end of the heap.
        assert_eq!(heap.allocate(layout(16, 1)), second);
    }

    #[test]
    fn blocks_are_aligned_and_keep_their_content() {
        let mut heap = Heap::new(grow);
        let mut blocks = Vec::new();
        let mut number: usize = 1;
        for round in 0..2_000_usize {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (size, align) = ((number >> 33) % 2_000 + 1, 1 << ((number >> 50) % 8));
            let pointer = heap.allocate(layout(size, align));
            assert_eq!(pointer as usize % align, 0);
            let mark = (round % 251) as u8;
            // SAFETY: each block is valid for its size, and each is released or resized once.
            unsafe {
                pointer.write_bytes(mark, size);
                blocks.push((pointer, layout(size, align), mark));
                if round % 3 == 0 {
                    let (pointer, old, mark) = blocks.swap_remove(number % blocks.len());
                    let size = old.size() * 2 - round % 2 * old.size() / 2;
                    let pointer = heap.resize(pointer, old, size);
                    assert!(std::slice::from_raw_parts(pointer, old.size()).iter().all(|byte| *byte == mark));
                    assert_eq!(pointer as usize % old.align(), 0);
                    pointer.write_bytes(mark, size);
                    blocks.push((pointer, layout(size, old.align()), mark));
                }
                if round % 2 == 0 {
                    let (pointer, old, mark) = blocks.swap_remove(number % blocks.len());
                    assert!(std::slice::from_raw_parts(pointer, old.size()).iter().all(|byte| *byte == mark));
                    heap.release(pointer, old);
                }
            }
        }
        for (pointer, layout, mark) in blocks {
            // SAFETY: as above.
            let bytes = unsafe { std::slice::from_raw_parts(pointer, layout.size()) };
            assert!(bytes.iter().all(|byte| *byte == mark));
        }
    }

    #[test]
    fn exhausted_memory_is_reported() {
        let mut heap = Heap::new(grow);
        assert!(heap.allocate(layout(2 << 20, 8)).is_null());
        assert!(!heap.allocate(layout(1 << 10, 8)).is_null());
    }
}
