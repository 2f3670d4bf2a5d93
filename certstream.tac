"""An application file: ``twistd -noy certstream.tac`` runs the server with its configuration file.

Copy it where you want to compose the server with services of your own.
"""

from twisted.application.service import Application

from certstream_tx.tap import Options, makeService

options = Options()
options.parseOptions([])

application = Application("certstream")
makeService(options).setServiceParent(application)
