# perl: regular expressions, hashes, sorting, strings, objects and numbers in one program; argument: rounds (1)
use strict;
use warnings;

package Counter;
sub new { my ($class) = @_; return bless {seen => {}, total => 0}, $class }
sub add { my ($self, $word) = @_; $self->{seen}{$word}++; $self->{total} += length $word; return $self }
sub common {
    my ($self, $n) = @_;
    my $seen = $self->{seen};
    my @order = sort { $seen->{$b} <=> $seen->{$a} || $a cmp $b } keys %$seen;
    return @order[0 .. $n - 1];
}

package main;

sub words { # words in lines of a text that a generator makes, counted
    my $counter = Counter->new;
    my $seed = 7;
    for (1 .. 300) {
        my $line = '';
        for (1 .. 12) {
            $seed = ($seed * 16807) % 2147483647;
            $line .= sprintf '%s%d%s', ('alpha', 'beta', 'gamma', 'delta')[$seed % 4], $seed % 97, $seed % 5 ? ' ' : ', ';
        }
        $line =~ s/(\w)(\w*)/\u$1$2/g;
        $counter->add(lc $_) for grep { /^[A-D][a-z]+[0-9]*$/ } split /[\s,]+/, $line;
    }
    return join('+', $counter->common(5)) . ':' . $counter->{total};
}

sub records { # fields taken from lines, put into order, written again
    my @lines = map { sprintf '%04d;%s;%.2f', ($_ * 7919) % 10000, 'x' x ($_ % 13), $_ / 7 } 1 .. 800;
    my %by;
    for (@lines) {
        push @{$by{$3 > 50 ? 'high' : 'low'}}, [$1, $2] if /^(\d+);(x*);([\d.]+)$/;
    }
    return join ',', map { my $k = $_; "$k=" . join '', map { $_->[0] % 10 } sort { $a->[0] <=> $b->[0] || $a->[1] cmp $b->[1] } @{$by{$k}} } sort keys %by;
}

sub matrix { # products of floating-point numbers
    my $n = 24;
    my @a = map { my $r = $_; [map { $r / ($_ + 1) } 0 .. $n - 1] } 1 .. $n;
    my @c;
    for my $i (0 .. $n - 1) {
        for my $j (0 .. $n - 1) {
            my $s = 0;
            $s += $a[$i][$_] * $a[$_][$j] for 0 .. $n - 1;
            $c[$i][$j] = $s;
        }
    }
    return sprintf '%.3f', $c[3][5] + $c[$n - 1][$n - 1];
}

my $rounds = shift || 1;
my $sum = 0;
for (1 .. $rounds) {
    my $said = words() . records() . matrix();
    $sum = ($sum * 31 + $_) % 1000003 for unpack 'C*', $said;
}
print "perl=$sum\n";
