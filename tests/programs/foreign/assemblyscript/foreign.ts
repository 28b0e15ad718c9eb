// What an AssemblyScript program uses of its library and of WASI.

/** Words, and how often each was seen. */
class Tally {
  private counts: Map<string, i32> = new Map();

  add(word: string): void {
    this.counts.set(word, this.counts.has(word) ? this.counts.get(word) + 1 : 1);
  }

  /** The most frequent first; ties by the alphabet. */
  top(): string {
    const words = this.counts.keys();
    for (let i = 0; i < words.length; i++) {
      words[i] = this.counts.get(words[i]).toString() + " " + words[i];
    }
    words.sort((a, b) => {
      const order = I32.parseInt(b) - I32.parseInt(a);
      return order != 0 ? order : a < b ? -1 : 1;
    });
    return words.join(", ");
  }
}

function words(): void {
  const tally = new Tally();
  const all = "the cat and The dog and the bird".toLowerCase().split(" ");
  for (let i = 0; i < all.length; i++) tally.add(all[i]);
  console.log(tally.top());
}

function input(): void {
  // A few bytes at a time, as from a slow pipe.
  const part = new ArrayBuffer(4);
  let text = "";
  for (let size = process.stdin.read(part); size > 0; size = process.stdin.read(part)) {
    text += String.UTF8.decode(part.slice(0, size));
  }
  const lines = text.split("\n");
  let sum: i64 = 0;
  for (let i = 0; i < lines.length; i++) sum += I64.parseInt(lines[i]);
  console.log(`${text.length} bytes of input, their sum is ${sum}`);
}

class Node {
  constructor(public left: Node | null, public right: Node | null) {}
  count(): i32 {
    const left = this.left, right = this.right;
    return 1 + (left ? left.count() : 0) + (right ? right.count() : 0);
  }
}

function tree(depth: i32): Node {
  return depth == 0 ? new Node(null, null) : new Node(tree(depth - 1), tree(depth - 1));
}

// 200 trees of 2,047 nodes: far more than is alive at once, so that memory has to be
// collected.
function garbage(): void {
  let nodes = 0;
  for (let i = 0; i < 200; i++) nodes += tree(10).count();
  console.log(`${nodes} nodes, ${memory.size() < 256 ? "few" : "many"} pages of memory`);
}

function numbers(): void {
  const primes = new Array<i32>();
  const composite = new StaticArray<bool>(1000);
  for (let n = 2; n < composite.length; n++) {
    if (composite[n]) continue;
    primes.push(n);
    for (let m = n * n; m < composite.length; m += n) composite[m] = true;
  }
  console.log(`${primes.length} primes, the last ${primes[primes.length - 1]}`);
  const roots = primes.slice(0, 5).map<f64>((prime) => Math.sqrt(prime));
  console.log(roots.join(" "));
  console.log(`${f64.MAX_VALUE} ${F64.parseFloat("1e-7")} ${f32(0.1)} ${-1 / 0.0} ${u64.MAX_VALUE}`);
  console.log(`${rotl<u32>(0x12345678, 8)} ${popcnt<u64>(u64.MAX_VALUE)} ${clz<i32>(1)}`);
}

function world(): void {
  console.log(process.argv.join("|"));
  console.log(process.env.get("GREETING") + (process.env.has("NONE") ? "!" : "."));
  const random = new Uint8Array(64);
  crypto.getRandomValues(random);
  let bits: u8 = 0;
  for (let i = 0; i < random.length; i++) bits |= random[i];
  const earlier = process.hrtime();
  assert(bits != 0, "64 random bytes are not all zero");
  assert(Date.now() > 1700000000000, "the time is later than 2023");
  assert(process.hrtime() > earlier, "time goes on");
  process.stderr.write("to standard error\n");
}

world();
input();
words();
garbage();
numbers();
process.exit(7);
