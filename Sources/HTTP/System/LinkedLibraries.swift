// The versions of the system libraries that this process is linked with. It knows nothing of what they are used for.

internal import COpenSSL
internal import CZlib

public enum LinkedLibraries {
    public static var openSSL: String { unsafe String(cString: OpenSSL_version(OPENSSL_VERSION)) }
    public static var zlib: String { unsafe String(cString: zlibVersion()) }
}
