// Room for the events of one wait. It owns the memory that the kernel writes to; it knows no descriptor.

internal import CLinux

/// What a wait found: whose event it is, and whether the connection is broken.
struct Event {
    let data: UInt64
    let isBroken: Bool
}

@safe struct EventBuffer: ~Copyable {
    let storage: UnsafeMutableBufferPointer<epoll_event>

    init(capacity: Int) {
        unsafe storage = .allocate(capacity: capacity)
        unsafe storage.initialize(repeating: epoll_event())
    }

    deinit { unsafe storage.deallocate() }

    subscript(_ index: Int) -> Event {
        let event = unsafe storage[index]
        // EPOLLERR and EPOLLHUP, which need no asking for.
        return unsafe Event(data: event.data.u64, isBroken: event.events & 0x18 != 0)
    }
}
