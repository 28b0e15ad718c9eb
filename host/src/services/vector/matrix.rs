//! Products of matrices, tile by tile.
//!
//! A tile is copied to be in one piece, and to be aligned. That costs little beside the
//! product: as much as is copied is multiplied as often as a tile has rows or columns.

use super::{Arguments, Element, Failure, Guest};
use std::ops::Range;
use wrt_platform::vector::{self, Dimensions};
use zerocopy::IntoBytes as _;

/// Most rows and columns of a tile, where a matrix has as many. A product of two takes some
/// milliseconds; three tiles take 6 MiB at most.
const TILE: usize = 512;

impl Guest<'_> {
    pub(super) fn gemm<T: Element>(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let [m, n, k, alpha, a, b, beta, c, ..] = *arguments;
        let (alpha, beta) = (T::of_word(alpha), T::of_word(beta));
        let place = |rows: u64, columns: u64, at| {
            let count = rows.checked_mul(columns).ok_or(Failure::OutOfBounds)?;
            self.vector::<T>(count, at)
        };
        let (a, b, c) = (place(m, k, a)?, place(k, n, b)?, place(m, n, c)?);
        if overlap(&c, &a) || overlap(&c, &b) {
            return Err(Failure::Undefined("gemm: c overlaps a or b".to_owned()));
        }
        // Without an element there may be any number of rows.
        if c.is_empty() {
            return Ok(());
        }
        // What alpha makes nothing of is not looked at: it may be NaN.
        let k = if alpha == T::ZERO { 0 } else { k };
        let size = |number: u64| usize::try_from(number).map_err(|_| Failure::OutOfBounds);
        let (m, n, k) = (size(m)?, size(n)?, size(k)?);
        let (a, b) = (Matrix { at: a.start, columns: k }, Matrix { at: b.start, columns: n });
        let c = Matrix { at: c.start, columns: n };
        // A thin matrix has long tiles.
        let (wide, deep) = (n.min(TILE), k.min(TILE));
        let high = m.min(TILE * TILE / wide.max(deep));
        let (mut a_tile, mut b_tile, mut c_tile) = (Vec::new(), Vec::new(), Vec::new());
        for rows in pieces(m, high) {
            for columns in pieces(n, wide) {
                self.read(c, &rows, &columns, &mut c_tile);
                let mut beta = beta;
                for depth in pieces(k, deep) {
                    self.go_on()?;
                    self.read(a, &rows, &depth, &mut a_tile);
                    self.read(b, &depth, &columns, &mut b_tile);
                    let dimensions = Dimensions { m: rows.len(), k: depth.len(), n: columns.len() };
                    vector::gemm(dimensions, alpha, &a_tile, &b_tile, beta, &mut c_tile)?;
                    beta = T::ONE;
                }
                self.write(c, &rows, &columns, &c_tile);
            }
        }
        Ok(())
    }

    /// Makes `tile` these rows and columns of a matrix.
    fn read<T: Element>(
        &self,
        matrix: Matrix,
        rows: &Range<usize>,
        columns: &Range<usize>,
        tile: &mut Vec<T>,
    ) {
        tile.resize(rows.len() * columns.len(), T::ZERO);
        if columns.is_empty() {
            return;
        }
        for (row, to) in rows.clone().zip(tile.chunks_exact_mut(columns.len())) {
            to.as_mut_bytes().copy_from_slice(&self.memory[matrix.part::<T>(row, columns)]);
        }
    }

    fn write<T: Element>(
        &mut self,
        matrix: Matrix,
        rows: &Range<usize>,
        columns: &Range<usize>,
        tile: &[T],
    ) {
        for (row, from) in rows.clone().zip(tile.chunks_exact(columns.len())) {
            self.memory[matrix.part::<T>(row, columns)].copy_from_slice(from.as_bytes());
        }
    }
}

/// A matrix in a program's memory, row after row; all of it is there.
#[derive(Clone, Copy)]
struct Matrix {
    at: usize,
    columns: usize,
}

impl Matrix {
    /// Where these columns of a row are.
    fn part<T>(self, row: usize, columns: &Range<usize>) -> Range<usize> {
        let at = self.at + (row * self.columns + columns.start) * size_of::<T>();
        at..at + columns.len() * size_of::<T>()
    }
}

/// The numbers below `count` in pieces of `len`; of none, one piece without a number.
fn pieces(count: usize, len: usize) -> impl Iterator<Item = Range<usize>> {
    let len = len.max(1);
    (0..count.div_ceil(len).max(1)).map(move |piece| piece * len..count.min((piece + 1) * len))
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_once() {
        for (count, len) in [(0, 0), (1, 1), (5, 2), (6, 2), (7, 100), (512, 512), (513, 512)] {
            let all: Vec<usize> = pieces(count, len).flatten().collect();
            assert!(all.iter().copied().eq(0..count), "{count} in pieces of {len}");
        }
        assert_eq!((pieces(0, 3).next(), pieces(0, 3).count()), (Some(0..0), 1));
    }

    #[test]
    fn nothing_overlaps_what_is_empty() {
        assert!(overlap(&(0..4), &(3..5)) && overlap(&(2..3), &(0..9)));
        assert!(!overlap(&(0..4), &(4..5)) && !overlap(&(2..2), &(0..9)));
    }
}
