"""Markdown on standard output."""
import sys


def table(title, header, rows, note=''):
    print('\n### %s\n' % title)
    print('| ' + ' | '.join(header) + ' |')
    print('|' + '|'.join(' --- ' if i == 0 else ' ---: ' for i in range(len(header))) + '|')
    for row in rows:
        print('| ' + ' | '.join(str(c) for c in row) + ' |')
    if note:
        print('\n' + note)
    sys.stdout.flush()


def at(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def three(values):
    """p50, p99, max."""
    return ['%.1f' % v for v in (at(values, .5), at(values, .99), max(values))]


def spread(values):
    """Half of the distance between the quartiles, in % of the median."""
    return '%.1f' % (50 * (at(values, .75) - at(values, .25)) / at(values, .5)) if len(values) > 2 else ''
