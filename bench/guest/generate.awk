# awk -v what=c|text -f generate.awk: the data of the compile row (a C file of 5,000 lines) and of md5, sha256
# and gzip (256 KiB of text, as repetitive as a language). The same bytes everywhere: own random numbers.
function pick(n) {
    seed = (seed * 16807) % 2147483647
    return seed % n
}
function c_file(  f, i) {
    print "typedef unsigned int u32;\nstruct node { struct node *next; u32 key, value; char name[16]; };\nextern void *alloc(u32);"
    for (f = 0; line < 4997; f++) {
        text = "static u32 table" f "[8] = {"
        for (i = 0; i < 8; i++) text = text pick(10000) ", "
        out(text "};")
        out("u32 work" f "(struct node *list, u32 a, u32 b)\n{\n    u32 sum = a * " pick(99) " + (b >> " pick(31) ");")
        out("    for (struct node *n = list; n; n = n->next) {\n        if (n->key % " (2 + pick(9)) " == " pick(2) ")\n            sum += n->value ^ table" f "[n->key & 7];")
        out("        else if (n->name[" pick(16) "] == '" sprintf("%c", 97 + pick(26)) "')\n            sum -= (u32)n->name[" pick(16) "] << " pick(8) ";\n    }")
        out("    switch (sum & 7) {")
        for (i = 0; i < 6; i++) out("    case " i ":\n        sum = (sum " substr("+-*^|", 1 + pick(5), 1) " " (1 + pick(5000)) "u) ^ table" f "[(a + " i ") & 7];\n        break;")
        out("    default:\n        sum = sum << 3 | sum >> 29;\n    }")
        out("    double mean = (double)sum / " (1 + pick(50)) " + " pick(100) ".5;\n    while (mean > 1000 && b--)\n        mean *= 0." (1 + pick(8)) ";")
        out("    struct node *fresh = alloc(sizeof(struct node));\n    fresh->key = (u32)mean;\n    fresh->value = " (f ? "work" f - 1 "(list, sum, a)" : "a") ";\n    fresh->next = list ? list->next : fresh;")
        out("    return sum + fresh->value;\n}\n")
    }
}
function out(s) {
    line += split(s, unused, "\n")
    print s
}
function text_file(  n, w, k) {
    for (k = 0; k < 3000; k++) {
        w = ""
        for (n = 2 + pick(8); n > 0; n--) w = w substr("etaoinshrdluetaoinsetacmfwypvbgkjqxz", 1 + pick(36), 1)
        word[k] = w
    }
    for (n = 0; n < 262144; n += length(w) + 1) {
        k = pick(3000)
        if (pick(4)) k = k % 200
        w = word[k]
        printf "%s%s", w, pick(12) ? " " : "\n"
    }
}
BEGIN {
    seed = 20
    if (what == "c") c_file()
    else text_file()
}
