// How many files and sockets this process may open, and how many of them clients may have.

import Glibc

enum Descriptors {
    /// Kept for connections that are refused or linger beyond the limit, for the journal, snapshots and event loops, and
    /// for Dispatch, which ends the process when it cannot open a file of its own.
    private static let kept = 320

    /// Raises the soft limit to the hard one, and returns how many connections may be open at a time: what was wanted, or
    /// what the limit leaves.
    static func connections(wanted: Int) -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(resource, &limit) == 0 else { return wanted }
        if limit.rlim_cur < limit.rlim_max {
            let soft = limit.rlim_cur
            limit.rlim_cur = min(limit.rlim_max, rlim_t(wanted + kept))
            let isRaised = unsafe limit.rlim_cur > soft && setrlimit(resource, &limit) == 0
            if !isRaised { limit.rlim_cur = soft }
        }
        let all = limit.rlim_cur > rlim_t(Int32.max) ? Int(Int32.max) : Int(limit.rlim_cur)
        return max(1, min(wanted, all > 2 * kept ? all - kept : all / 4))
    }
}
