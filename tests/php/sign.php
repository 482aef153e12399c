<?php
// Signs each line of standard input as the platform does and prints the signature, or "-" if the line is no JSON
// object. The first line printed is the version of PHP. The key is the argument.
error_reporting(0);
echo PHP_VERSION_ID, "\n";
while (($line = fgets(STDIN)) !== false) {
    $map = json_decode($line, true);
    if (!is_array($map) || ltrim($line, " \t\r\n")[0] !== '{') {
        echo "-\n";
        continue;
    }
    unset($map['sign'], $map['game_data']);
    ksort($map);
    $parts = [];
    foreach ($map as $name => $value) {
        $parts[] = $name . '=' . $value;
    }
    echo md5(implode('&', $parts) . $argv[1]), "\n";
}
