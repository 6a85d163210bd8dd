// What a name may be made of. One rule for jobs, tenants, pools, providers, regions and accelerators; a wider one for nodes.

public enum Names {
    /// Whether `name` is 1 to 128 bytes of ASCII letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
    public static func isValid(_ name: String) -> Bool { isValid(name, allowingSlash: false) }

    /// As `isValid`, and `/` may stand between two parts: `b03/d017/n04`.
    public static func isValidNodeName(_ name: String) -> Bool { isValid(name, allowingSlash: true) }

    private static func isValid(_ name: String, allowingSlash: Bool) -> Bool {
        var count = 0
        var partIsEmpty = true
        for byte in name.utf8 {
            count += 1
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                partIsEmpty = false
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                if partIsEmpty { return false }
            case UInt8(ascii: "/"):
                if !allowingSlash || partIsEmpty { return false }
                partIsEmpty = true
            default: return false
            }
        }
        return count <= Bounds.nameBytes && !partIsEmpty
    }
}
