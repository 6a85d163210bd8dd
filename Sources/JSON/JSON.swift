// Owns the map of this target; it holds no code.
// The target must not know HTTP, jobs or the engine, and imports nothing.
//
// Reading     `JSONDocument(bytes, in: range, limits:)` reads a text strictly (RFC 8259) into a flat tape, or throws one
//             `JSONSyntaxError`. `document.root` is a `JSONValue`: kind, string, int64, uint64, double, numberText,
//             boolean, elements, members, `value["name"]`, pointer. Limits: `JSONLimits`.
// Decoding    `decodeObject(bytes) { r in ... }` hands out an `ObjectReader`, asks for fields by name, and throws
//             `JSONFailure`: the syntax error, or every `Mistake` with pointer, code and sentence. `r.string("a")` is
//             required and gives a placeholder after a mistake; `r.optionalString("a")` is nil when absent. The same
//             for integer, double, micros, boolean, choice, parsed, array, objects, object and stringMap. Elements
//             of arrays are `ValueReader`s with the same methods without names. `Decoding` is the long way.
// Writing     `JSONWriter`: `field(key, value)`, `object`, `array`, `objects`, `value`, `newLine`, then `take` or
//             `reset`. `decimalString(micros:)` and `Money.micros(_:)` turn amounts into text and back.
// Lines       `JSONLines(bytes)` gives number and range of each NDJSON line that holds anything.
// Guessing    `nearest(to:among:)` is the name that was probably meant.
//
//     let job = try decodeObject(body) { r in
//         Job(
//             id: r.string("id", minBytes: 1, maxBytes: 64),
//             groups: r.objects("groups", count: 1...16) { g in
//                 Group(
//                     workers: g.integer("workers", in: 1...100_000),
//                     accelerators: g.array("accelerators") { $0.string(maxBytes: 32) },
//                     scope: g.optionalChoice("scope") ?? .fleet)
//             },
//             labels: r.optionalStringMap("labels") ?? [])
//     }
