// Every transition of a node, written down a second time as a table.

import Model
import Testing

@Suite struct NodeStateTests {
    static let table: [(NodeState, [NodeState?])] = [
        // cordon, drain, uncordon, down, up
        (.ready, [.cordoned, .draining, .ready, .down, .ready]),
        (.cordoned, [.cordoned, .draining, .ready, .downCordoned, .cordoned]),
        (.draining, [.cordoned, .draining, .ready, .downCordoned, .draining]),
        (.down, [.downCordoned, nil, .down, .down, .ready]),
        (.downCordoned, [.downCordoned, nil, .down, .downCordoned, .cordoned]),
    ]

    @Test func `Each state answers each action as the table says`() {
        #expect(Self.table.map(\.0) == NodeState.allCases)
        for (state, expected) in Self.table { #expect(NodeAction.allCases.map { state.after($0) } == expected) }
    }

    @Test func `An action done twice is the same as done once`() {
        for state in NodeState.allCases {
            for action in NodeAction.allCases {
                if let once = state.after(action) { #expect(once.after(action) == once, "\(state) \(action)") }
            }
        }
    }

    @Test func `A node comes back from down as cordoned as it went`() {
        for state in [NodeState.ready, .cordoned] { #expect(state.after(.down)?.after(.up) == state) }
        #expect(NodeState.draining.after(.down)?.after(.up) == .cordoned)
    }

    @Test func `Only a node that is down says so`() {
        #expect(NodeState.allCases.filter(\.isDown) == [.down, .downCordoned])
        #expect(NodeState.allCases.map(\.name) == ["ready", "cordoned", "draining", "down", "down"])
    }
}
