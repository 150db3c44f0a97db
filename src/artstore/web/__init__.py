"""
The page: what a store holds, for people in a browser and for programs as JSON.

    routing     what stands at an address, and what a handler is given and gives
    site        the store that is shown, and what is kept of it while the server runs
    app         addresses and handlers as one application, with its guards
    pages/      one module for each kind of page; what they show is made in
                artifacts/, tables/, runs/, lineage/, previews/

ARCHITECTURE.md has the layers.
"""
