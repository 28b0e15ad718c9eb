//! What a Zig program uses of its library and of WASI.

const std = @import("std");

pub fn main() !void {
    var general = std.heap.GeneralPurposeAllocator(.{}){};
    const allocator = general.allocator();
    const out = std.io.getStdOut().writer();

    try world(allocator, out);
    try files(allocator, out);
    try collections(allocator, out);
    try numbers(out);
    try json(allocator, out);
    failing() catch |failure| try out.print("caught: {s}\n", .{@errorName(failure)});

    try out.print("leaks: {s}\n", .{@tagName(general.deinit())});
    try std.io.getStdErr().writeAll("to standard error\n");
    std.process.exit(7);
}

fn world(allocator: std.mem.Allocator, out: anytype) !void {
    const args = try std.process.argsAlloc(allocator);
    defer std.process.argsFree(allocator, args);
    for (args) |arg| try out.print("<{s}>", .{arg});
    const greeting = try std.process.getEnvVarOwned(allocator, "GREETING");
    defer allocator.free(greeting);
    try out.print(" {s}\n", .{greeting});

    const input = try std.io.getStdIn().readToEndAlloc(allocator, 1 << 20);
    defer allocator.free(input);
    var lines = std.mem.tokenizeScalar(u8, input, '\n');
    var sum: i64 = 0;
    while (lines.next()) |line| sum += try std.fmt.parseInt(i64, line, 0);
    try out.print("{d} bytes of input, their sum is {d}\n", .{ input.len, sum });

    if (std.time.timestamp() < 1_700_000_000) return error.TheTimeIsEarlierThan2023;
    var timer = try std.time.Timer.start();
    std.time.sleep(20 * std.time.ns_per_ms);
    if (timer.read() < 20 * std.time.ns_per_ms) return error.SleptTooShort;
    if (std.crypto.random.int(u128) == 0) return error.NotRandom;
}

fn files(allocator: std.mem.Allocator, out: anytype) !void {
    // The first preopened directory is the current one.
    const root = std.fs.cwd();
    try root.makePath("deep/er/est");
    for ([_][]const u8{ "b", "a", "c" }) |name| {
        const path = try std.fs.path.join(allocator, &.{ "deep", name });
        defer allocator.free(path);
        try root.writeFile(.{ .sub_path = path, .data = name });
    }
    try root.rename("deep/a", "kept");
    try root.deleteFile("deep/b");

    const file = try root.openFile("kept", .{ .mode = .read_write });
    defer file.close();
    try file.seekFromEnd(0);
    try file.writer().print(" and {d} more", .{3});
    try file.seekTo(2);
    const rest = try file.readToEndAlloc(allocator, 100);
    defer allocator.free(rest);
    try out.print("kept: {d} bytes, from the third on: {s}\n", .{ (try file.stat()).size, rest });

    var deep = try root.openDir("deep", .{ .iterate = true });
    defer deep.close();
    var walker = try deep.walk(allocator);
    defer walker.deinit();
    var paths = std.ArrayList([]const u8).init(allocator);
    defer paths.deinit();
    while (try walker.next()) |entry| try paths.append(try allocator.dupe(u8, entry.path));
    std.mem.sort([]const u8, paths.items, {}, before);
    for (paths.items) |path| {
        try out.print("{s} ", .{path});
        allocator.free(path);
    }
    try root.deleteTree("deep");
    root.access("deep", .{}) catch |failure| try out.print("then {s}\n", .{@errorName(failure)});
    if (root.openFile("../secret", .{})) |_| return error.Escaped else |failure| switch (failure) {
        error.AccessDenied => {},
        else => return failure,
    }
}

fn before(_: void, a: []const u8, b: []const u8) bool {
    return std.mem.lessThan(u8, a, b);
}

fn collections(allocator: std.mem.Allocator, out: anytype) !void {
    var squares = std.AutoHashMap(u32, u64).init(allocator);
    defer squares.deinit();
    for (0..20_000) |n| try squares.put(@intCast(n), @as(u64, n) * n);
    for (0..10_000) |n| _ = squares.remove(@intCast(2 * n));
    var sum: u64 = 0;
    var values = squares.valueIterator();
    while (values.next()) |value| sum += value.*;
    try out.print("{d} squares, their sum is {d}\n", .{ squares.count(), sum });

    var digest: [32]u8 = undefined;
    std.crypto.hash.sha2.Sha256.hash("abc", &digest, .{});
    try out.print("{s}\n", .{std.fmt.fmtSliceHexLower(&digest)});
}

fn numbers(out: anytype) !void {
    const wide: u128 = std.math.maxInt(u128);
    try out.print("{d} {x} {d}\n", .{ wide / 3, wide % 1_000_003, @as(i256, -1) << 200 });
    const third = 1.0 / @as(f128, 3.0);
    try out.print("{d} {e} {d:.3}\n", .{ 0.1, @as(f64, @floatCast(third)), std.math.pi });
    const vector: @Vector(8, u32) = .{ 1, 2, 3, 4, 5, 6, 7, 8 };
    try out.print("{d} {d}\n", .{ @reduce(.Add, vector * vector), std.math.sqrt(@as(u64, 1 << 62)) });
}

fn json(allocator: std.mem.Allocator, out: anytype) !void {
    const Point = struct { x: i32, y: f64, tags: []const []const u8 = &.{} };
    const text =
        \\[{"x": 1, "y": 2.5}, {"tags": ["a", "\u00fc"], "y": -1e3, "x": -7}]
    ;
    const parsed = try std.json.parseFromSlice([]Point, allocator, text, .{});
    defer parsed.deinit();
    try std.json.stringify(parsed.value, .{}, out);
    try out.writeAll("\n");
}

fn failing() !void {
    _ = try std.fmt.parseInt(u8, "256", 10);
}
