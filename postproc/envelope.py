"""An outline moved outwards with round joins: the outer border of all discs of one radius on it.

Seen from outside, an outline is its convex hull with pockets. Over a pocket whose points follow
each other along the hull's side that closes it, the border is the upper envelope of discs whose
centres go from left to right. Two such discs of one radius cross once at most, and the left one
is above on the left: so the envelope is found with a stack, each arc and each line pushed once.
Nothing is approximated but arcs by chords. Outlines with other pockets, hooks and spirals, are
told, and left to pyclipper.

In the frame of a pocket's side, s runs along it and h outwards, so h <= 0 on the outline.
"""

from __future__ import annotations

import numpy as np

from dbrt.postproc.jit import compiled
from dbrt.postproc.labels import Ints
from dbrt.postproc.rectangle import Floats

# Columns of the scratch array: a pocket's points, the direction of the side from each to the next,
# and the stack: what stands there (2 i: the arc round point i; 2 i + 1: the side from i to i + 1,
# moved) and from which s on.
S, H, ALONG, RISE, WHAT, BEGIN = 0, 1, 2, 3, 4, 5

# Columns of the extents (see `labels`) that are free when a hull is made.
_LEFTMOST, _RIGHTMOST = 2, 3

NOT_GROWN, NO_ROOM = -1, -2
# px, far above rounding. A side with less of it along the hull's side is upright.
_EPSILON = 1e-8
_WALL = 1e-3  # px; where an envelope steps by more than this


@compiled
def push_point(points: Ints, begin: int, k: int, base: int, hull: Ints, used: int) -> int:
    """Append point `k` to the chain hull[base - 1:used]; drop what no longer turns clockwise."""
    x, y = points[begin + k, 0], points[begin + k, 1]
    while used > base:
        ax, ay = points[begin + hull[used - 2, 0], 0], points[begin + hull[used - 2, 0], 1]
        bx, by = points[begin + hull[used - 1, 0], 0], points[begin + hull[used - 1, 0], 1]
        if np.int64(bx - ax) * (y - by) - np.int64(by - ay) * (x - bx) > 0:
            break
        used -= 1
    hull[used, 0] = k
    return used + 1


@compiled
def hull_of_outline(
    points: Ints, begin: int, end: int, top: int, rows: int, ends: Ints, first: int, hull: Ints
) -> int:
    """The convex hull of points[begin:end], clockwise: counts from `begin`.

    top, rows    the outline's y are top .. top + rows - 1
    ends, first  (E, 4) int32; the last two columns are written from row `first` on, a row for each
                 of the outline's: its leftmost and its rightmost point
    hull         (end - begin + 1, C) int32 or more; column 0 written
    returns      number of corners
    """
    for k in range(first, first + rows):
        ends[k, _LEFTMOST] = -1
    for i in range(end - begin):
        x, row = points[begin + i, 0], first + points[begin + i, 1] - top
        if ends[row, _LEFTMOST] < 0:
            ends[row, _LEFTMOST] = ends[row, _RIGHTMOST] = i
            continue
        if x < points[begin + ends[row, _LEFTMOST], 0]:
            ends[row, _LEFTMOST] = i
        if x >= points[begin + ends[row, _RIGHTMOST], 0]:
            ends[row, _RIGHTMOST] = i
    # Down along the right side, then up along the left one.
    used, base = 0, 1
    for step in range(2 * rows):
        down = step < rows
        row = first + (step if down else 2 * rows - 1 - step)
        k = ends[row, _LEFTMOST]
        if k < 0:
            continue
        if used == 0:
            hull[0, 0], used = k, 1
        if step == rows:
            base = used
        if down:
            k = ends[row, _RIGHTMOST]
        if k != hull[used - 1, 0]:
            used = push_point(points, begin, k, base, hull, used)
    return max(used - 1, 1)  # the last corner is the first one again


@compiled
def height(work: Floats, what: int, s: float, radius: float) -> float:
    """The height of an arc or a moved side at `s`; minus infinity beside it."""
    i = what >> 1
    if what & 1 == 0:
        square = radius * radius - (s - work[i, S]) ** 2
        return work[i, H] + np.sqrt(max(square, 0.0)) if square >= -_EPSILON else -np.inf
    shift = work[i, RISE] * radius
    if s < work[i, S] - shift - _EPSILON or s > work[i + 1, S] - shift + _EPSILON:
        return -np.inf
    rise = (s - work[i, S] + shift) * work[i, RISE] / work[i, ALONG]
    return float(work[i, H] + work[i, ALONG] * radius + rise)


@compiled
def crossing(work: Floats, left: int, right: int, radius: float) -> float:
    """Where `right` comes to lie above `left`; NaN where they do not cross."""
    i, j = left >> 1, right >> 1
    if left & 1 == 0 and right & 1 == 0:
        ds, dh = work[j, S] - work[i, S], work[j, H] - work[i, H]
        square = ds * ds + dh * dh
        return float((work[i, S] + work[j, S]) / 2 - dh * np.sqrt(radius * radius / square - 0.25))
    if left & 1 == 1 and right & 1 == 1:
        slope_i, slope_j = work[i, RISE] / work[i, ALONG], work[j, RISE] / work[j, ALONG]
        # Both as h = slope * s + rest; a side moves up by radius / along.
        rest_i = work[i, H] - slope_i * work[i, S] + radius / work[i, ALONG]
        rest_j = work[j, H] - slope_j * work[j, S] + radius / work[j, ALONG]
        return float((rest_i - rest_j) / (slope_j - slope_i))
    # An arc and a moved side: the side leaves the disc on the right, or comes into it on the left.
    side, disc, sign = (j, i, 1.0) if left & 1 == 0 else (i, j, -1.0)
    along, rise = work[side, ALONG], work[side, RISE]
    ds, dh = work[disc, S] - work[side, S], work[disc, H] - work[side, H]
    forward, away = ds * along + dh * rise, radius + ds * rise - dh * along
    half = np.sqrt(radius * radius - away * away)
    return float(work[side, S] - rise * radius + (forward + sign * half) * along)


@compiled
def overtaken(work: Floats, left: int, right: int, radius: float) -> float:
    """Where `right` takes over from `left`, the top of the stack; NaN where it never does.

    An arc that stood behind a side was taken off by `right`, so that lies above where the side
    ends; sides in one line do not cross, but meet there. What does not cross an arc lies wholly
    above it or below: the border is a wall there, one radius from an upright side.
    """
    s = crossing(work, left, right, radius)
    i, j = left >> 1, right >> 1
    if np.isnan(s):
        if right & 1 == 0 and height(work, left, work[j, S] - radius, radius) < work[j, H]:
            s = work[j, S] - radius
        elif left & 1 == 0 and height(work, right, work[i, S] + radius, radius) < work[i, H]:
            s = work[i, S] + radius
    if left & 1 == 0:
        return s
    end = work[i + 1, S] - work[i, RISE] * radius
    return s if s < end else end


@compiled
def envelope(work: Floats, n: int, radius: float) -> int:
    """Stack the arcs and sides that are seen from above, left to right.

    work     (>= n + 1, 6) float64: points with n - 1 sides between; the stack is written
    returns  height of the stack
    """
    work[0, WHAT], work[0, BEGIN], depth = 0, 0.0, 1
    for i in range(n - 1):
        side, arc = 2 * i + 1, 2 * i + 2
        shift = work[i, RISE] * radius
        # Where the moved side ends and the arc begins; an upright side is hidden by its ends.
        end = work[i + 1, S] - shift if work[i + 1, S] - work[i, S] > _EPSILON else -np.inf
        while depth > 0:
            s, top = work[depth - 1, BEGIN], int(work[depth - 1, WHAT])
            new = height(work, arc, s, radius)
            if s <= end:
                new = max(new, height(work, side, s, radius))
            if new < height(work, top, s, radius):
                break
            depth -= 1
        least = work[depth - 1, BEGIN] if depth > 0 else 0.0
        s = least
        if depth > 0 and end > least:
            first = work[i, S] - shift
            s = first if top == side - 1 else max(overtaken(work, top, side, radius), first)
            s = least if s < least else s
        if s < end:
            work[depth, WHAT], work[depth, BEGIN] = side, s
            depth += 1
            s = end
        elif depth > 0:
            s = overtaken(work, top, arc, radius)
        if s >= least:
            work[depth, WHAT], work[depth, BEGIN] = arc, s
            depth += 1
    return depth


@compiled
def put_arc(
    x: float,
    y: float,
    from_x: float,
    from_y: float,
    to_x: float,
    to_y: float,
    radius: float,
    turn: tuple[float, float],
    grown: Floats,
    used: int,
) -> int:
    """Append the arc round (x, y), clockwise between two unit vectors, without its end.

    turn     cosine and sine of the angle, at most, between two of its points
    returns  rows of `grown` used now; NO_ROOM where there are too few
    """
    turn_x, turn_y = turn
    while used < len(grown):
        grown[used, 0], grown[used, 1] = x + radius * from_x, y + radius * from_y
        used += 1
        if from_x * to_x + from_y * to_y >= turn_x:
            return used
        from_x, from_y = from_x * turn_x - from_y * turn_y, from_x * turn_y + from_y * turn_x
    return NO_ROOM


@compiled
def arc_side(work: Floats, i: int, s: float, radius: float) -> tuple[float, float]:
    """The unit vector from point `i` of a pocket to its arc at `s`, along and out."""
    a = min(max((s - work[i, S]) / radius, -1.0), 1.0)
    return a, np.sqrt(1.0 - a * a)


@compiled
def put_pocket(
    x: float,
    y: float,
    ux: float,
    uy: float,
    length: float,
    work: Floats,
    depth: int,
    radius: float,
    turn: tuple[float, float],
    grown: Floats,
    used: int,
) -> int:
    """Append an envelope over the side from (x, y) along the unit vector u, without its end."""
    for k in range(depth):
        what = int(work[k, WHAT])
        first = work[k, BEGIN]
        last = work[k + 1, BEGIN] if k + 1 < depth else length
        if used + 1 >= len(grown):
            return NO_ROOM
        if k > 0:  # the other end of a wall
            h = height(work, int(work[k - 1, WHAT]), first, radius)
            if h > -np.inf and abs(h - height(work, what, first, radius)) > _WALL:
                grown[used, 0], grown[used, 1] = x + first * ux + h * uy, y + first * uy - h * ux
                used += 1
        if what & 1 == 1 or last - first < _EPSILON:
            h = height(work, what, first, radius)
            if not h > -np.inf:
                continue
            grown[used, 0], grown[used, 1] = x + first * ux + h * uy, y + first * uy - h * ux
            used += 1
            continue
        i = what >> 1
        a, ah = arc_side(work, i, first, radius)
        b, bh = arc_side(work, i, last, radius)
        used = put_arc(
            x + work[i, S] * ux + work[i, H] * uy,
            y + work[i, S] * uy - work[i, H] * ux,
            a * ux + ah * uy,
            a * uy - ah * ux,
            b * ux + bh * uy,
            b * uy - bh * ux,
            radius,
            turn,
            grown,
            used,
        )
        if used < 0:
            return used
    return used


@compiled
def pocket_points(
    points: Ints, begin: int, end: int, first: int, n: int, ux: float, uy: float, work: Floats
) -> bool:
    """Write a pocket's points as s and h; False where they do not follow each other along it.

    first, n  it has n points from this one on, counted from `begin`; the first and the last are
              corners of the hull
    """
    at = begin + first
    x, y = points[at, 0], points[at, 1]
    for k in range(n):
        dx, dy = float(points[at, 0] - x), float(points[at, 1] - y)
        work[k, S], work[k, H] = dx * ux + dy * uy, dx * uy - dy * ux
        at = at + 1 if at + 1 < end else begin
        if k > 0:
            ds, dh = work[k, S] - work[k - 1, S], work[k, H] - work[k - 1, H]
            if ds < -_EPSILON:
                return False
            length = np.sqrt(ds * ds + dh * dh)
            work[k - 1, ALONG], work[k - 1, RISE] = ds / length, dh / length
    return True


@compiled
def unit(x: float, y: float) -> tuple[float, float, float]:
    """The unit vector along (x, y), and its length."""
    length = np.sqrt(x * x + y * y)
    return x / length, y / length, length


@compiled
def goes_round_once(hull: Ints, n: int, m: int) -> bool:
    """Whether the hull's `n` corners follow each other as on the outline, which has `m` points."""
    turns = 0
    for k in range(n):
        step = hull[k + 1 if k + 1 < n else 0, 0] - hull[k, 0]
        turns += step if step >= 0 else step + m
    return turns == m


@compiled
def grow_outline(  # noqa: PLR0911
    points: Ints,
    begin: int,
    end: int,
    hull: Ints,
    n: int,
    radius: float,
    tolerance: float,
    work: Floats,
    grown: Floats,
    used: int,
) -> int:
    """Append the outline points[begin:end], moved outwards by `radius`, to grown[:used].

    points     (P, 2) int32, pixels whose centres are the outline, clockwise
    hull, n    its convex hull; see `hull_of_outline`
    tolerance  px that a chord may lie inside its arc, or a corner outside
    work       (end - begin + 2, 6) float64, scratch
    grown      (G, 2) float64, pixels of the map, from their corners
    returns    rows of `grown` used now; NOT_GROWN, or NO_ROOM where G is too small
    """
    m = end - begin
    half = max(1.0 - tolerance / radius, 0.5)
    turn = 2.0 * half * half - 1.0, 2.0 * half * np.sqrt(1.0 - half * half)
    if n == 1:
        x, y = points[begin, 0] + 0.5, points[begin, 1] + 0.5
        used = put_arc(x, y, 0.0, -1.0, 0.0, 1.0, radius, turn, grown, used)
        return put_arc(x, y, 0.0, 1.0, 0.0, -1.0, radius, turn, grown, used) if used > 0 else used
    if not goes_round_once(hull, n, m):
        return NOT_GROWN  # the outline crosses itself
    last = begin + hull[n - 1, 0]
    at = begin + hull[0, 0]
    x, y = float(points[at, 0]), float(points[at, 1])
    ux, uy, length = unit(x - points[last, 0], y - points[last, 1])
    pocket = (hull[0, 0] - hull[n - 1, 0]) % m != 1
    for k in range(n):
        first, following = hull[k, 0], hull[k + 1 if k + 1 < n else 0, 0]
        qx, qy = float(points[begin + following, 0]), float(points[begin + following, 1])
        before_x, before_y, after_pocket = ux, uy, pocket
        ux, uy, length = unit(qx - x, qy - y)
        count = following - first + (1 if following > first else m + 1)
        pocket = count > 2
        if used + 2 > len(grown):
            return NO_ROOM
        # Outwards of u is (uy, -ux).
        cx, cy = x + 0.5, y + 0.5
        cosine = before_x * ux + before_y * uy
        if cosine >= turn[0] and not pocket and not after_pocket:
            # Two sides that turn so little meet near enough to the arc between them.
            reach = radius / (1.0 + cosine)
            grown[used, 0] = cx + reach * (before_y + uy)
            grown[used, 1] = cy - reach * (before_x + ux)
            used += 1
        else:
            used = put_arc(cx, cy, before_y, -before_x, uy, -ux, radius, turn, grown, used)
            if used < 0 or used >= len(grown):
                return NO_ROOM
            if not pocket:
                grown[used, 0], grown[used, 1] = cx + radius * uy, cy - radius * ux
                used += 1
        if pocket:
            if not pocket_points(points, begin, end, first, count, ux, uy, work):
                return NOT_GROWN
            depth = envelope(work, count, radius)
            used = put_pocket(cx, cy, ux, uy, length, work, depth, radius, turn, grown, used)
            if used < 0:
                return NO_ROOM
        x, y = qx, qy
    return used
