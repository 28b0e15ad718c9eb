import base64, collections, dataclasses, decimal, functools, hashlib, itertools, json, math
import os, pathlib, random, re, struct, sys, textwrap, time, zlib

print(sys.version.split()[0], sys.platform, sys.argv, os.environ["GREETING"])
print(sum(int(line, 0) for line in sys.stdin), "is the sum of the input")


@dataclasses.dataclass(order=True)
class Version:
    major: int
    minor: int = 0
    tags: list = dataclasses.field(default_factory=list, compare=False)

    @classmethod
    def parse(cls, text):
        match = re.fullmatch(r"v?(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:-(?P<tags>\w+))?", text)
        if not match:
            raise ValueError(f"not a version: {text!r}")
        tags = [match["tags"]] if match["tags"] else []
        return cls(int(match["major"]), int(match["minor"] or 0), tags)


print(sorted(map(Version.parse, ["v2.10", "2.9-beta", "1", "2.9"])))
try:
    Version.parse("two")
except ValueError as error:
    print("caught:", error)

text = json.dumps({"ü": [1, 2.5, None, True, 10**30], "nested": {"a": "\n\u2028"}}, sort_keys=True)
print(text, json.loads(text)["ü"][4] == 10**30)

data = bytes(itertools.islice(itertools.cycle(range(251)), 100_000))
for name in "md5", "sha256", "sha3_256", "blake2b":
    print(name, hashlib.new(name, data).hexdigest()[:32])
print(zlib.crc32(data), len(zlib.compress(data)), zlib.decompress(zlib.compress(data)) == data)
print(base64.b85encode(struct.pack("<hdQ", -2, math.pi, 2**63)).decode())

numbers = random.Random(1).sample(range(10**6), 10_000)
ordered = sorted(numbers)
print(ordered == sorted(numbers, key=lambda n: -n)[::-1], ordered[:3])
print(collections.Counter(n % 7 for n in numbers).most_common(1))


@functools.cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


print(fibonacci(20), pow(3, 10**6, 10**9 + 7), str(2**10_000)[-10:])
decimal.getcontext().prec = 50
print(decimal.Decimal(2).sqrt(), repr(0.1 + 0.2), math.fsum([0.1] * 10), math.lgamma(1e5))


def endless(depth):
    return endless(depth + 1) + 1


for name, limit in ("the usual limit", sys.getrecursionlimit()), ("a higher one", 10_000):
    sys.setrecursionlimit(limit)
    try:
        endless(0)
    except RecursionError as error:
        print(f"{name}: {error}")


def producer():
    received = yield "first"
    try:
        yield f"got {received}"
    finally:
        print("the generator is closed")


generator = producer()
print(next(generator), generator.send("this"))
generator.close()

folder = pathlib.Path("/data")
for n in range(5):
    (folder / f"{n}.txt").write_text("line ü\n" * n)
(folder / "4.txt").rename(folder / "moved.txt")
(folder / "0.txt").unlink()
sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
print(sizes, (folder / "moved.txt").read_text().count("ü"))
try:
    open("/data/none")
except FileNotFoundError as error:
    print("caught:", error)
try:
    (folder / "../secret").read_text()
except OSError as error:
    print("caught:", type(error).__name__)

before = time.monotonic()
time.sleep(0.02)
assert 0.02 <= time.monotonic() - before < 10, "20 ms are 20 ms"
assert time.time() > 1_700_000_000, "the time is later than 2023"
assert os.urandom(16) != os.urandom(16)
print(textwrap.fill("the end " * 12, width=40))
print("to standard error", file=sys.stderr)
sys.exit(7)
