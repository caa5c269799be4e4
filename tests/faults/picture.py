"""Draws how memory goes on, as SVG: a panel for each thing that is repeated."""

# What a panel is over, and its lines: the name of a series, what it is called, and its colour.
PANELS = [
    ("requests", [("worker, over requests", "worker", "#0b62a8")]),
    ("key rotations", [("worker, over key rotations", "worker", "#0b62a8")]),
    (
        "reloads",
        [
            ("master with ojwt, over reloads", "master with ojwt", "#0b62a8"),
            ("master of nginx alone, over reloads", "master of nginx alone", "#a85a0b"),
        ],
    ),
]
LEFT, TOP, WIDTH, HEIGHT, GAP = 52, 74, 240, 190, 62


def steps(highest, count=4):
    """Round values from zero on to just above the highest."""
    rough = highest / count
    size = 10.0 ** len(str(int(rough))) / 10 if rough >= 1 else 0.1
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    values = [0.0]
    while values[-1] < highest:
        values.append(values[-1] + step)
    return values


def short(value):
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def panel(left, what, lines, series, highest):
    """One panel: its axes, with their units, and its lines."""
    bottom = TOP + HEIGHT
    most = max(count for name, _, _ in lines for count, _ in series[name])
    ticks = steps(highest)

    def at(count, megabytes):
        return left + WIDTH * count / most, bottom - HEIGHT * megabytes / ticks[-1]

    out = [f'<text x="{left}" y="{TOP - 12}" font-weight="bold">over {most:,} {what}</text>']
    for tick in ticks:
        _, y = at(0, tick)
        out.append(f'<path d="M{left} {y:.1f}H{left + WIDTH}" stroke="#e4e4e4"/>')
        out.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#666">{tick:g}</text>')
    for quarter in range(0, 5, 2):
        x, _ = at(most * quarter / 4, 0)
        out.append(f'<path d="M{x:.1f} {bottom}v4" stroke="#666"/>')
        out.append(
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#666">{short(most * quarter / 4)}</text>'
        )
    out.append(f'<text x="{left + WIDTH / 2}" y="{bottom + 36}" text-anchor="middle">{what}</text>')
    out.append(f'<path d="M{left} {TOP}V{bottom}H{left + WIDTH}" fill="none" stroke="#666"/>')
    for index, (name, label, colour) in enumerate(lines):
        points = " ".join("{:.1f},{:.1f}".format(*at(count, kilobytes / 1024)) for count, kilobytes in series[name])
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = bottom - 14 - 17 * (len(lines) - 1 - index)
        out.append(f'<path d="M{left + 10} {y - 4}h18" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="{left + 34}" y="{y}">{label}</text>')
    return out


def draw(series):
    width = LEFT + len(PANELS) * (WIDTH + GAP) - GAP + 20
    height = TOP + HEIGHT + 48
    title = "Memory of a worker and of the master"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="12" fill="#222">',
        f"<title>{title}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="10" y="22" font-size="15" font-weight="bold">{title}, MB that no file holds</text>',
        '<text x="10" y="42" fill="#666">Caches fill at first; a line that then stays level leaks nothing. nginx itself'
        " keeps some memory at each reload.</text>",
        f'<text x="{LEFT - 6}" y="{TOP - 12}" text-anchor="end" fill="#666">MB</text>',
    ]
    for number, (what, lines) in enumerate(PANELS):
        highest = max(kilobytes / 1024 for name, _, _ in lines for _, kilobytes in series[name])
        out += panel(LEFT + number * (WIDTH + GAP), what, lines, series, highest)
    return "\n".join([*out, "</svg>"]) + "\n"
