// What this build calls itself.

import HTTP

public enum Version {
    public static let berth = "0.1.0"

    public static var text: String {
        "berth \(berth)\nOpenSSL \(LinkedLibraries.openSSL)\nzlib \(LinkedLibraries.zlib)"
    }
}
