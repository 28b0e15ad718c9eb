//! Planets under each other's gravity: chains of dependent floating-point arithmetic.

#[derive(Clone, Copy)]
struct Body {
    place: [f64; 3],
    speed: [f64; 3],
    mass: f64,
}

/// Positions and speeds that keep five bodies apart for long.
fn system() -> [Body; 5] {
    let body = |distance: f64, speed: f64, mass: f64| Body {
        place: [distance, distance / 16.0, -distance / 64.0],
        speed: [-speed / 32.0, speed, speed / 128.0],
        mass,
    };
    [
        body(0.0, 0.0, 40.0),
        body(5.0, 2.8, 0.04),
        body(9.5, 2.0, 0.01),
        body(19.0, 1.4, 0.002),
        body(30.0, 1.1, 0.002),
    ]
}

pub(crate) fn run(steps: u32) -> u32 {
    const STEP: f64 = 0.01;
    let mut bodies = system();
    for _ in 0..steps {
        for first in 0..bodies.len() {
            for second in first + 1..bodies.len() {
                pull(&mut bodies, first, second, STEP);
            }
        }
        for body in &mut bodies {
            for axis in 0..3 {
                body.place[axis] += STEP * body.speed[axis];
            }
        }
    }
    // Every machine rounds these operations alike.
    bodies
        .iter()
        .flat_map(|body| body.place)
        .fold(0, |sum: u32, x| sum.rotate_left(5) ^ (x.to_bits() >> 32) as u32 ^ x.to_bits() as u32)
}

fn pull(bodies: &mut [Body; 5], first: usize, second: usize, step: f64) {
    let (one, other) = (bodies[first], bodies[second]);
    let apart = [0, 1, 2].map(|axis| one.place[axis] - other.place[axis]);
    let square: f64 = apart.iter().map(|x| x * x).sum();
    let force = step / (square * square.sqrt());
    for axis in 0..3 {
        bodies[first].speed[axis] -= apart[axis] * other.mass * force;
        bodies[second].speed[axis] += apart[axis] * one.mass * force;
    }
}
