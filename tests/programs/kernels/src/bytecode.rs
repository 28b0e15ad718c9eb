//! A stack machine: an interpreter in the interpreter. Its `match` becomes a `br_table`.

/// Two nested loops over a little arithmetic. An operand follows its opcode.
const PROGRAM: [u8; 26] = [
    0, 200, // push 200: the inner counter
    4, 1, // store to variable 1
    3, 0, // load variable 0
    0, 7, 1, // push 7, add
    0, 13, 2, // push 13, multiply
    6, // rotate left by 5
    3, 1, 5, // load variable 1, xor
    4, 0, // store to variable 0
    3, 1, 7, 8, // load variable 1, decrement, duplicate
    4, 1, // store to variable 1
    9, 4, // if what is left is not zero, jump to the load of variable 0
];

pub(crate) fn run(steps: u32) -> u32 {
    let mut stack = [0u32; 16];
    let mut top = 0;
    let mut variables = [1u32; 4];
    let mut at = 0;
    for _ in 0..steps {
        let operand = PROGRAM.get(at + 1).copied().unwrap_or(0);
        let mut length = 1;
        match PROGRAM[at] {
            0 => {
                stack[top & 15] = operand.into();
                top += 1;
                length = 2;
            }
            1 => {
                top -= 1;
                stack[(top - 1) & 15] = stack[(top - 1) & 15].wrapping_add(stack[top & 15]);
            }
            2 => {
                top -= 1;
                stack[(top - 1) & 15] = stack[(top - 1) & 15].wrapping_mul(stack[top & 15]);
            }
            3 => {
                stack[top & 15] = variables[usize::from(operand & 3)];
                top += 1;
                length = 2;
            }
            4 => {
                top -= 1;
                variables[usize::from(operand & 3)] = stack[top & 15];
                length = 2;
            }
            5 => {
                top -= 1;
                stack[(top - 1) & 15] ^= stack[top & 15];
            }
            6 => stack[(top - 1) & 15] = stack[(top - 1) & 15].rotate_left(5),
            7 => stack[(top - 1) & 15] = stack[(top - 1) & 15].wrapping_sub(1),
            8 => {
                stack[top & 15] = stack[(top - 1) & 15];
                top += 1;
            }
            _ => {
                top -= 1;
                length = 2;
                if stack[top & 15] != 0 {
                    at = usize::from(operand);
                    continue;
                }
            }
        }
        at += length;
        if at >= PROGRAM.len() {
            (at, top) = (0, 0);
        }
    }
    variables[0]
}
