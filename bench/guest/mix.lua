-- lua: strings, tables, closures, sorting and floating point in one program; argument: rounds (1)
local function words(n)
    local count, s = {}, 1
    for i = 1, n do
        s = (s * 1103515245 + 12345) % 2147483648
        local w = string.format("w%d", s % 1000)
        count[w] = (count[w] or 0) + 1
    end
    local list = {}
    for w, c in pairs(count) do list[#list + 1] = w .. ":" .. c end
    table.sort(list)
    return #table.concat(list, ",")
end

local function spectral(n)
    local function a(i, j) return 1 / ((i + j - 1) * (i + j - 2) / 2 + i) end
    local u, v = {}, {}
    for i = 1, n do u[i] = 1 end
    for _ = 1, 3 do
        for i = 1, n do
            local t = 0
            for j = 1, n do t = t + a(i, j) * u[j] end
            v[i] = t
        end
        u, v = v, u
    end
    return u[1] + u[n]
end

local function queens(n)
    local found, columns, up, down = 0, {}, {}, {}
    local function place(row)
        if row > n then found = found + 1 return end
        for c = 1, n do
            if not (columns[c] or up[row + c] or down[row - c + n]) then
                columns[c], up[row + c], down[row - c + n] = true, true, true
                place(row + 1)
                columns[c], up[row + c], down[row - c + n] = nil, nil, nil
            end
        end
    end
    place(1)
    return found
end

local function trees(depth)
    local function make(d) return d == 0 and {} or {make(d - 1), make(d - 1)} end
    local function count(t) return t[1] and count(t[1]) + count(t[2]) + 1 or 1 end
    return count(make(depth))
end

local text = 0
for _ = 1, tonumber(arg and arg[1]) or 1 do
    text = text + words(40000) + math.floor(spectral(120) * 1e6) + queens(7) + trees(14)
    for w in (("the quick brown fox %d "):rep(2000)):gmatch("%a+") do text = text + #w end
end
print("lua=" .. text)
